#include "sidecar/replication/source_session.h"

#include <gtest/gtest.h>

#include <format>

#include "tests/replication/client.h"
#include "tests/replication/memory_logs.h"

namespace baton::replication {
namespace {

using test::bytes_of;
using test::command;
using test::query;
using test::text_of;
using namespace std::chrono_literals;
using Kind = SourceSession::Next::Kind;

class Session : public testing::Test {
 protected:
  SourceSession& connect(bool tls = true) {
    SourceSession::Setup setup{
        .identity = {.server_id = 1, .server_uuid = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", .version = "9.7.4"},
        .accounts = {{"other", password_digest("another")}, {"repl", password_digest("secret")}},
        .nonce = nonce_,
        .connection_id = 5,
        .peer = "10.0.0.9",
        .tls = tls};
    session_ = std::make_unique<SourceSession>(std::move(setup), logs_, now_);
    reader_ = PacketReader(std::size_t{1} << 30);
    EXPECT_EQ(exchange({}).size(), 1U) << "the greeting";
    return *session_;
  }

  /// Feeds bytes, lets the session work until it has to wait, and reads what it says.
  std::vector<std::string> exchange(std::span<const std::byte> bytes) {
    session_->feed(bytes);
    std::vector<std::string> said;
    for (int calls = 0; calls < 10'000; ++calls) {
      OutputBuffer out(1 << 20);
      next_ = session_->produce(out, {.now = now_, .unix_seconds = 1'700'000'000});
      reader_.feed(out.bytes());
      for (;;) {
        const auto message = reader_.next();
        EXPECT_TRUE(message) << message.error().what;
        if (!message || !*message) break;
        said.push_back(text_of(**message));
      }
      if (next_.kind != Kind::kProduce) return said;
    }
    ADD_FAILURE() << "the session never waits";
    return said;
  }
  /// A command, with the answers' sequence numbers beginning at 1.
  std::vector<std::string> ask(std::span<const std::byte> message) {
    reader_.expect(1);
    return exchange(test::packets_of(message, 0));
  }
  /// An error as "1045 28000 text", or what it was in hex.
  static std::string error_of(const std::vector<std::string>& said) {
    if (said.empty() || said.back().size() < 9 || said.back()[0] != '\xFF') return "no error";
    const auto& text = said.back();
    const auto low = static_cast<unsigned char>(text[1]);
    const auto high = static_cast<unsigned char>(text[2]);
    return std::format("{} {} {}", low + 256 * high, text.substr(4, 5), text.substr(9));
  }

  void log_in() {
    connect();
    static_cast<void>(exchange(test::packets_of(test::tls_request(), 1)));
    ASSERT_EQ(next_.kind, Kind::kStartTls);
    EXPECT_TRUE(session_->start_tls().empty());
    reader_.expect(3);
    const auto said = exchange(test::packets_of(test::login({}, nonce_), 2));
    ASSERT_EQ(said.size(), 2U);
    EXPECT_EQ(said[0], "\1\3");
    EXPECT_EQ(said[1], std::string("\0\0\0\2\0\0\0", 7));
  }
  void prepare_receiver() {
    static_cast<void>(ask(query("SET @source_heartbeat_period = 500000000")));
    static_cast<void>(ask(query("SET @source_binlog_checksum = @@global.binlog_checksum")));
    static_cast<void>(ask(query("SET @replica_uuid = 'me'")));
  }

  Nonce nonce_ = [] {
    Nonce nonce{};
    nonce.fill(std::byte{'n'});
    return nonce;
  }();
  Instant now_{1h};
  test::MemoryLogs logs_;
  std::unique_ptr<SourceSession> session_;
  PacketReader reader_{0};
  SourceSession::Next next_;
};

TEST_F(Session, BytesBehindTheRequestForTlsBelongToTls) {
  connect();
  auto bytes = test::packets_of(test::tls_request(), 1);
  const auto hello = bytes_of("\x16\x03\x01 client hello");
  bytes.insert(bytes.end(), hello.begin(), hello.end());
  EXPECT_TRUE(exchange(bytes).empty());
  EXPECT_EQ(next_.kind, Kind::kStartTls);
  EXPECT_EQ(text_of(session_->start_tls()), text_of(hello));
  reader_.expect(3);
  EXPECT_EQ(exchange(test::packets_of(test::login({}, nonce_), 2)).size(), 2U);
}

TEST_F(Session, WithoutTlsNobodyLogsIn) {
  connect();
  reader_.expect(2);
  const auto said = exchange(test::packets_of(test::login({.tls = false}, nonce_), 1));
  EXPECT_TRUE(error_of(said).starts_with("3159 HY000 ")) << error_of(said);
  EXPECT_EQ(next_.kind, Kind::kClose);
  // Nor by claiming it.
  connect();
  reader_.expect(2);
  EXPECT_TRUE(error_of(exchange(test::packets_of(test::login({}, nonce_), 1))).starts_with("3159 "));
}

TEST_F(Session, WhereNoCertificateIsTlsIsNotOffered) {
  connect(false);
  reader_.expect(2);
  EXPECT_EQ(exchange(test::packets_of(test::login({.tls = false}, nonce_), 1)).size(), 2U);
  connect(false);
  reader_.expect(2);
  EXPECT_TRUE(error_of(exchange(test::packets_of(test::tls_request(), 1))).starts_with("1043 "));
}

TEST_F(Session, WrongPasswordsAndUnknownUsersGetTheSameAnswer) {
  for (const test::LoginForm& form : {test::LoginForm{.password = "wrong"},
                                      {.password = "another"},
                                      {.password = ""},
                                      {.user = "nobody"},
                                      {.user = ""},
                                      {.user = "REPL"}}) {
    connect(false);
    reader_.expect(2);
    const auto said =
        exchange(test::packets_of(test::login({form.user, form.password, form.plugin, false}, nonce_), 1));
    EXPECT_EQ(error_of(said),
              std::format("1045 28000 Access denied for user '{}'@'10.0.0.9' (using password: YES)", form.user));
    EXPECT_EQ(next_.kind, Kind::kClose);
  }
}

TEST_F(Session, AnotherPluginIsSwitched) {
  connect(false);
  reader_.expect(2);
  const auto said =
      exchange(test::packets_of(test::login({.plugin = "mysql_native_password", .tls = false}, nonce_), 1));
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0], std::string("\xFE") + "caching_sha2_password" + '\0' + std::string(20, 'n') + '\0');
  const auto scramble = scramble_of("secret", nonce_);
  reader_.expect(4);
  EXPECT_EQ(exchange(test::packets_of(scramble, 3)).size(), 2U);
}

TEST_F(Session, TheLoginHasADeadline) {
  connect();
  EXPECT_EQ(next_.kind, Kind::kWait);
  EXPECT_EQ(next_.until, now_ + 5s);
  now_ += 5s;
  static_cast<void>(exchange({}));
  EXPECT_EQ(next_.kind, Kind::kClose);
  EXPECT_EQ(session_->why_closed(), "the login took too long");
}

TEST_F(Session, NoiseIsRefused) {
  connect();
  reader_.expect(2);
  EXPECT_TRUE(error_of(exchange(bytes_of("GET / HTTP/1.1\r\n\r\n"))).starts_with("1156 "));
  EXPECT_EQ(next_.kind, Kind::kClose);
  connect();
  reader_.expect(2);
  const std::string large("\0\0\2\1", 4);  // 128 KiB before the login.
  EXPECT_TRUE(error_of(exchange(bytes_of(large))).starts_with("1156 "));
}

TEST_F(Session, CommandsAreAnswered) {
  log_in();
  EXPECT_EQ(ask(command(0x0E)), std::vector{std::string("\0\0\0\2\0\0\0", 7)});
  EXPECT_EQ(ask(command(0x02, "db")).size(), 1U);
  EXPECT_EQ(error_of(ask(command(0x16, "SELECT ?"))), "1047 08S01 Unknown command");
  const auto rows = ask(query("SELECT @@GLOBAL.SERVER_ID, @none"));
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0], "\2");
  EXPECT_EQ(rows[1], std::string("\3def\0\0\0\x12@@GLOBAL.SERVER_ID\0\x0C\xFF\0\0\0\0\1\xFD\0\0\0\0\0", 40));
  EXPECT_EQ(rows[3], std::string("\xFE\0\0\2\0", 5));
  EXPECT_EQ(rows[4], "\0011\xFB");
  EXPECT_EQ(rows[5], rows[3]);
  EXPECT_EQ(ask(query("SELECT @@gtid_executed"))[3],
            "\x28"
            "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-9");
  EXPECT_EQ(ask(query("SELECT UNIX_TIMESTAMP()"))[3],
            "\x0A"
            "1700000000");
  EXPECT_TRUE(error_of(ask(query("SELECT @@global.rpl_semi_sync_source_enabled"))).starts_with("1193 HY000 "));
  EXPECT_TRUE(error_of(ask(query("DROP DATABASE shop"))).starts_with("1235 42000 "));
  const std::string registration = std::string("\x63\0\0\0\0\0\0\0\0", 9) + std::string(8, '\0');
  EXPECT_EQ(ask(command(0x15, registration)).size(), 1U);
  EXPECT_TRUE(error_of(ask(command(0x15, "x"))).starts_with("1835 "));
  EXPECT_EQ(next_.kind, Kind::kWait);
  EXPECT_TRUE(ask(command(0x01)).empty());
  EXPECT_EQ(next_.kind, Kind::kClose);
  EXPECT_EQ(session_->why_closed(), "");
}

TEST_F(Session, CommandsMayComeTogether) {
  log_in();
  auto bytes = test::packets_of(command(0x0E), 0);
  const auto more = bytes;
  for (int i = 0; i < 9; ++i) bytes.insert(bytes.end(), more.begin(), more.end());
  session_->feed(bytes);
  for (int i = 0; i < 10; ++i) {
    OutputBuffer out(64);
    EXPECT_EQ(session_->produce(out, {.now = now_}).kind, Kind::kProduce);
    EXPECT_EQ(out.size(), 11U) << "one answer at a time";
  }
}

TEST_F(Session, SilenceBetweenCommandsEnds) {
  log_in();
  now_ += 59s;
  EXPECT_EQ(ask(command(0x0E)).size(), 1U);
  EXPECT_EQ(next_.until, now_ + 60s);
  now_ += 60s;
  static_cast<void>(exchange({}));
  EXPECT_EQ(next_.kind, Kind::kClose);
}

TEST_F(Session, ADumpBeginsWithWhatTheReceiverHas) {
  log_in();
  prepare_receiver();
  logs_.script->add(test::log_begin("binlog.000003"));
  logs_.script->add(test::event_of(16, "12345678"));
  const auto said = ask(test::dump_command(3));
  EXPECT_EQ(logs_.asked, std::vector<std::string>{"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-3"});
  EXPECT_EQ(said.size(), 3U);
  EXPECT_EQ(next_.kind, Kind::kWait);
  EXPECT_TRUE(next_.or_data);
  EXPECT_EQ(next_.until, now_ + 500ms);
  ASSERT_TRUE(session_->receiver());
  EXPECT_EQ(session_->receiver()->uuid, "me");
  EXPECT_EQ(session_->receiver()->server_id, 99U);
  now_ += 500ms;
  EXPECT_EQ(exchange({}).size(), 1U) << "a heartbeat";
  // More data, then the receiver leaves.
  logs_.script->add(test::event_of(16, "87654321"));
  EXPECT_EQ(exchange({}).size(), 1U);
  static_cast<void>(exchange(test::packets_of(command(1), 0)));
  EXPECT_EQ(next_.kind, Kind::kClose);
}

TEST_F(Session, TheReceiverIsKnownBeforeTheDump) {
  log_in();
  session_->feed(test::packets_of(test::dump_command(), 0));
  OutputBuffer out(64);
  EXPECT_EQ(session_->produce(out, {.now = now_}).kind, Kind::kProduce);
  EXPECT_TRUE(session_->receiver());
  EXPECT_TRUE(logs_.asked.empty());
}

TEST_F(Session, WhatWasPurgedIsNamed) {
  log_in();
  GtidSet missing;
  missing.add({"bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb", ""}, {1, 7});
  logs_.refusal = Refusal{Refusal::Reason::kPurged, missing};
  const auto error = error_of(ask(test::dump_command()));
  EXPECT_TRUE(error.starts_with("1236 HY000 ")) << error;
  EXPECT_NE(error.find("'bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb:1-7'"), std::string::npos) << error;
  EXPECT_EQ(next_.kind, Kind::kClose);

  log_in();
  for (int i = 0; i < 100; ++i) missing.add({"bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb", ""}, 100 + 2 * i);
  logs_.refusal = Refusal{Refusal::Reason::kReceiverAhead, missing};
  const auto ahead = error_of(ask(test::dump_command()));
  EXPECT_NE(ahead.find("... (107 transactions)"), std::string::npos) << ahead;
}

TEST_F(Session, FailuresThatMayPassLetTheReceiverTryAgain) {
  for (const auto& [kind, number] : {std::pair{ErrorKind::kCorrupt, "1236"}, std::pair{ErrorKind::kUnsafe, "1236"},
                                     std::pair{ErrorKind::kRetry, "1105"}}) {
    log_in();
    logs_.failure = Error{kind, "the reason"};
    EXPECT_EQ(error_of(ask(test::dump_command())), std::format("{} HY000 the reason", number));
    logs_.failure.reset();
    log_in();
    prepare_receiver();
    logs_.script->add(test::log_begin("b.1"));
    logs_.script->add(Error{kind, "the reason"});
    EXPECT_EQ(error_of(ask(test::dump_command())), std::format("{} HY000 the reason", number));
  }
}

TEST_F(Session, WithinAnEventThereIsNoPlaceForAnError) {
  log_in();
  prepare_receiver();
  const auto event = test::event_of(30, std::string(100, 'r'));
  logs_.script->add(test::log_begin("b.1"));
  logs_.script->add(std::vector<std::byte>(event.begin(), event.begin() + 40));
  logs_.script->add(Error{ErrorKind::kCorrupt, "the reason"});
  EXPECT_EQ(ask(test::dump_command()).size(), 2U);
  EXPECT_EQ(next_.kind, Kind::kClose);
  EXPECT_EQ(session_->why_closed(), "the reason");
}

TEST_F(Session, ALaterConnectionOfTheReceiverEndsThisOne) {
  log_in();
  prepare_receiver();
  logs_.script->add(test::log_begin("b.1"));
  static_cast<void>(ask(test::dump_command()));
  session_->replace();
  EXPECT_TRUE(error_of(exchange({})).starts_with("1236 HY000 A replica with the same server_uuid"));
}

TEST_F(Session, DumpsByPositionAndBrokenRequestsAreRefused) {
  log_in();
  EXPECT_TRUE(error_of(ask(command(0x12, "xxxx"))).starts_with("1236 HY000 Baton's binlog server serves by GTID only"));
  log_in();
  EXPECT_TRUE(error_of(ask(command(0x1E, "xxxx"))).starts_with("1236 HY000 the dump request is too short"));
}

TEST_F(Session, AToolThatDoesNotWaitGetsAnEnd) {
  log_in();
  prepare_receiver();
  logs_.script->add(test::log_begin("b.1"));
  const auto said = ask(test::dump_command(0, 1));
  EXPECT_EQ(said.size(), 3U);
  EXPECT_EQ(said.back(), std::string("\xFE\0\0\2\0", 5));
  EXPECT_EQ(next_.kind, Kind::kClose);
}

TEST_F(Session, AnyCutOfTheInputGivesTheSameAnswers) {
  auto all = test::packets_of(test::login({.tls = false}, nonce_), 1);
  for (const auto& message : {query("SELECT 1"), command(0x0E), query("SET @a = 1, @b = 2"), test::dump_command(5)}) {
    const auto packets = test::packets_of(message, 0);
    all.insert(all.end(), packets.begin(), packets.end());
  }
  std::string wanted;
  for (const std::size_t piece :
       {all.size(), std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{50}}) {
    logs_.script->add(test::log_begin("b.1", false));
    connect(false);
    std::string said;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      session_->feed(std::span(all).subspan(at, std::min(piece, all.size() - at)));
      for (;;) {
        OutputBuffer out(64);
        next_ = session_->produce(out, {.now = now_});
        said += text_of(out.bytes());
        if (next_.kind != Kind::kProduce) break;
      }
    }
    EXPECT_TRUE(next_.or_data) << piece;
    if (wanted.empty()) wanted = said;
    EXPECT_EQ(said, wanted) << piece;
  }
}

}  // namespace
}  // namespace baton::replication
