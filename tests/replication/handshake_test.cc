#include "sidecar/replication/handshake.h"

#include <gtest/gtest.h>

#include "sidecar/bytes/byte_writer.h"
#include "sidecar/replication/artificial_event.h"
#include "sidecar/replication/dump_request.h"
#include "tests/binlog/log_writer.h"
#include "tests/replication/bytes.h"

namespace baton::replication {
namespace {

using test::bytes_of;
using test::hex_of;
using test::LogWriter;
using test::text_of;

Nonce abc_nonce() {
  Nonce nonce{};
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::byte>('a' + i);
  return nonce;
}

TEST(Handshake, GreetingAsOnTheWire) {
  EXPECT_EQ(hex_of(encode_greeting({.version = "9.7.4", .connection_id = 5, .nonce = abc_nonce(), .offers_tls = true})),
            "0a 39 2e 37 2e 34 00 05 00 00 00 "        // protocol, version, connection
            "61 62 63 64 65 66 67 68 00 "              // eight bytes of the nonce
            "09 8a ff 02 00 38 00 15 "                 // capabilities around character set and status, 21
            "00 00 00 00 00 00 00 00 00 00 "           // reserved
            "69 6a 6b 6c 6d 6e 6f 70 71 72 73 74 00 "  // twelve bytes of the nonce
            "63 61 63 68 69 6e 67 5f 73 68 61 32 5f 70 61 73 73 77 6f 72 64 00");
  const auto plain =
      encode_greeting({.version = "9.7.4", .connection_id = 5, .nonce = abc_nonce(), .offers_tls = false});
  EXPECT_EQ(hex_of(std::span(plain).subspan(20, 2)), "09 82") << "no TLS";
}

TEST(Handshake, WhatAnswersLookLike) {
  EXPECT_EQ(hex_of(encode_ok()), "00 00 00 02 00 00 00");
  EXPECT_EQ(hex_of(encode_eof()), "fe 00 00 02 00");
  EXPECT_EQ(hex_of(encode_fast_auth_success()), "01 03");
  EXPECT_EQ(hex_of(encode_error(1236, "HY000", "no")), "ff d4 04 23 48 59 30 30 30 6e 6f");
  EXPECT_EQ(encode_error(1, "HY000", std::string(9000, 'x')).size(), 9U + 511U);
  const auto change = encode_auth_switch(abc_nonce());
  EXPECT_EQ(text_of(change).substr(1), std::string("caching_sha2_password\0abcdefghijklmnopqrst\0", 43));
}

struct LoginText {
  std::uint32_t capabilities = kOffered | kTls;
  std::string_view tail;
};
std::vector<std::byte> login_message(const LoginText& text) {
  return ByteWriter()
      .write_u32(text.capabilities)
      .write_u32(1 << 24)
      .write_u8(255)
      .write_zeros(23)
      .write_string(text.tail)
      .take();
}
Login login_of(const LoginText& text) {
  auto read = read_login(login_message(text));
  EXPECT_TRUE(read) << read.error().what;
  return read && std::holds_alternative<Login>(*read) ? std::get<Login>(*read) : Login{};
}

TEST(Handshake, ARequestForTlsIsAnAnswerWithoutUser) {
  const auto read = read_login(login_message({.tail = ""}));
  ASSERT_TRUE(read);
  EXPECT_TRUE(std::holds_alternative<TlsRequest>(*read));
}

TEST(Handshake, AnswersOfManyForms) {
  using namespace std::string_view_literals;
  // All of 9.x: length-encoded answer, database, plugin, attributes.
  const Login full = login_of({.tail = "repl\0\3abcdb\0caching_sha2_password\0\1\2\3"sv});
  EXPECT_EQ(full.user, "repl");
  EXPECT_EQ(text_of(full.answer), "abc");
  EXPECT_EQ(full.plugin, kPlugin);
  EXPECT_TRUE(full.tls);
  const Login no_database = login_of({.capabilities = kOffered & ~kConnectWithDatabase, .tail = "u\0\1aplug"sv});
  EXPECT_EQ(no_database.plugin, "plug");
  EXPECT_FALSE(no_database.tls);
  const Login old = login_of({.capabilities = kProtocol41 | kSecureConnection, .tail = "u\0\2ab"sv});
  EXPECT_EQ(text_of(old.answer), "ab");
  EXPECT_EQ(old.plugin, "");
  EXPECT_EQ(text_of(login_of({.capabilities = kProtocol41, .tail = "u\0scr\0"sv}).answer), "scr");
}

TEST(Handshake, CutAnswersAreRefused) {
  using namespace std::string_view_literals;
  const auto whole = login_message({.tail = "repl\0\3abcdb\0caching_sha2_password\0"sv});
  for (std::size_t length = 0; length + 23 < whole.size(); ++length) {
    if (length == 32) continue;  // A request for TLS.
    EXPECT_FALSE(read_login(std::span(whole).first(length))) << length;
  }
  EXPECT_FALSE(read_login(bytes_of(std::string(100, '\0')))) << "not protocol 4.1";
  EXPECT_FALSE(read_login(login_message({.tail = std::string(97, 'u') + std::string("\0\0\0\0", 4)})));
}

TEST(Scramble, OnlyTheRightPasswordProves) {
  const Nonce nonce = abc_nonce();
  const Digest digest = password_digest("secret");
  const Digest scramble = scramble_of("secret", nonce);
  // Computed by an independent implementation: SHA256(pw) XOR SHA256(SHA256(SHA256(pw)) + nonce).
  EXPECT_EQ(hex_of(std::span(scramble).first(8)), "c7 6e 28 98 61 2a 4c f0");
  EXPECT_TRUE(proves(scramble_of("secret", nonce), digest, nonce));
  EXPECT_FALSE(proves(scramble_of("Secret", nonce), digest, nonce));
  Nonce other = nonce;
  other[19] = std::byte{'!'};
  EXPECT_FALSE(proves(scramble_of("secret", other), digest, nonce));
  EXPECT_FALSE(proves({}, digest, nonce));
  EXPECT_FALSE(proves(std::span(digest).first(20), digest, nonce));
}

TEST(Scramble, NoncesArePrintable) {
  for (int i = 0; i < 200; ++i) {
    for (const std::byte byte : make_nonce()) {
      EXPECT_GE(byte, std::byte{'!'});
      EXPECT_LE(byte, std::byte{'~'});
      EXPECT_NE(byte, std::byte{'$'});
    }
  }
  EXPECT_NE(make_nonce(), make_nonce());
}

std::string uuid_bytes(char digit) { return LogWriter::uuid_bytes(std::string(32, digit)); }

TEST(DumpRequest, SetsWithAndWithoutTags) {
  const auto number = [](std::uint64_t value, int bytes) { return LogWriter::number(value, bytes); };
  const std::string plain = number(1, 8) + uuid_bytes('a') + number(1, 8) + number(1, 8) + number(6, 8);
  const std::string head = number(3, 2) + number(42, 4) + number(3, 4) + "abc" + number(4, 8);
  auto request = read_dump_request(bytes_of(head + number(plain.size(), 4) + plain));
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_TRUE(request->non_blocking);
  EXPECT_TRUE(request->heartbeat_v2);
  EXPECT_EQ(request->server_id, 42U);
  EXPECT_EQ(request->have.to_string(), "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-5");

  const std::string tagged = number((std::uint64_t{1} << 56) | (1 << 8) | 1, 8) + uuid_bytes('b') + number(3 << 1, 1) +
                             "tag" + number(1, 8) + number(7, 8) + number(8, 8);
  request = read_dump_request(
      bytes_of(number(2, 2) + number(1, 4) + number(0, 4) + number(4, 8) + number(tagged.size(), 4) + tagged));
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_FALSE(request->non_blocking);
  EXPECT_EQ(request->have.to_string(), "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb:tag:7");
}

TEST(DumpRequest, LengthsAreNotBelieved) {
  const auto number = [](std::uint64_t value, int bytes) { return LogWriter::number(value, bytes); };
  const std::string head = number(2, 2) + number(1, 4);
  EXPECT_FALSE(read_dump_request(bytes_of(head + number(0xFFFF'FFFF, 4) + "x")));
  EXPECT_FALSE(read_dump_request(bytes_of(head + number(0, 4) + number(4, 8) + number(0xFFFF'FFFF, 4))));
  EXPECT_FALSE(read_dump_request(bytes_of(head + number(0, 4) + number(4, 8) + number(8, 4) + number(1 << 20, 8))));
  EXPECT_FALSE(read_dump_request({}));
}

TEST(Registration, IsRead) {
  const auto number = [](std::uint64_t value, int bytes) { return LogWriter::number(value, bytes); };
  const std::string text = number(9, 4) + "\4host" + number(0, 2) + number(3307, 2) + number(0, 8);
  const auto read = read_registration(bytes_of(text));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->server_id, 9U);
  EXPECT_EQ(read->host, "host");
  EXPECT_EQ(read->port, 3307);
  EXPECT_FALSE(read_registration(bytes_of(text.substr(0, text.size() - 1))));
}

TEST(ArtificialEvent, BytesAsMysqldSendsThem) {
  using binlog::ChecksumAlgorithm;
  EXPECT_EQ(hex_of(make_rotate(1, "b.1", 4, ChecksumAlgorithm::kNone)),
            "00 00 00 00 04 01 00 00 00 1e 00 00 00 00 00 00 00 20 00 04 00 00 00 00 00 00 00 62 2e 31");
  const auto with_checksum = make_rotate(1, "b.1", 4, ChecksumAlgorithm::kCrc32);
  EXPECT_EQ(with_checksum.size(), 34U);
  EXPECT_EQ(hex_of(make_heartbeat(1, "b.1", 0x1'0000'0123, ChecksumAlgorithm::kNone)),
            "00 00 00 00 1b 01 00 00 00 16 00 00 00 23 01 00 00 00 00 62 2e 31");
  EXPECT_EQ(hex_of(make_heartbeat_v2(1, "b.1", 0x1'0000'0123, ChecksumAlgorithm::kNone)),
            "00 00 00 00 29 01 00 00 00 24 00 00 00 00 00 00 00 00 00 "
            "01 03 62 2e 31 02 09 fe 23 01 00 00 01 00 00 00 00");
}

}  // namespace
}  // namespace baton::replication
