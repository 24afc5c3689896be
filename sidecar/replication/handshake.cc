#include "sidecar/replication/handshake.h"

#include "engine/base/ensure.h"
#include "sidecar/bytes/byte_reader.h"
#include "sidecar/bytes/byte_writer.h"

namespace baton::replication {
namespace {

constexpr std::uint8_t kUtf8mb4 = 255;       // utf8mb4_0900_ai_ci
constexpr std::uint16_t kAutocommit = 2;     // SERVER_STATUS_AUTOCOMMIT
constexpr std::size_t kNonceFirstPart = 8;   // SCRAMBLE_LENGTH is split for clients of before 4.1.
constexpr std::size_t kUserLengthMost = 96;  // USERNAME_LENGTH: 32 characters of 3 bytes.

bool read_auth_answer(ByteReader& reader, std::uint32_t capabilities, std::vector<std::byte>& answer) {
  std::string_view text;
  std::uint8_t length = 0;
  if ((capabilities & kLengthEncodedAuth) != 0) {
    if (!reader.read_lenenc_string(text)) return false;
  } else if ((capabilities & kSecureConnection) != 0) {
    if (!reader.read_u8(length) || !reader.read_string(length, text)) return false;
  } else if (!reader.read_string_nul(text)) {
    return false;
  }
  const auto bytes = std::as_bytes(std::span(text));
  answer.assign(bytes.begin(), bytes.end());
  return true;
}

}  // namespace

std::vector<std::byte> encode_greeting(const Greeting& greeting) {
  constexpr std::uint8_t kProtocol = 10;
  const std::uint32_t capabilities = kOffered | (greeting.offers_tls ? kTls : 0U);
  const std::span nonce(greeting.nonce);
  ByteWriter writer;
  writer.write_u8(kProtocol).write_string_nul(greeting.version).write_u32(greeting.connection_id);
  writer.write_bytes(nonce.first(kNonceFirstPart)).write_u8(0).write_u16(static_cast<std::uint16_t>(capabilities));
  writer.write_u8(kUtf8mb4).write_u16(kAutocommit).write_u16(static_cast<std::uint16_t>(capabilities >> 16));
  writer.write_u8(static_cast<std::uint8_t>(nonce.size() + 1)).write_zeros(10);
  writer.write_bytes(nonce.subspan(kNonceFirstPart)).write_u8(0).write_string_nul(kPlugin);
  return writer.take();
}

Result<std::variant<TlsRequest, Login>> read_login(std::span<const std::byte> message) {
  using Read = std::variant<TlsRequest, Login>;
  constexpr std::size_t kReserved = 23;
  ByteReader reader(message);
  std::uint32_t claimed = 0;
  std::uint32_t longest_packet = 0;
  std::uint8_t character_set = 0;
  if (!reader.read_u32(claimed) || (claimed & kProtocol41) == 0) {
    return fail(ErrorKind::kTerminal, "the client does not speak protocol 4.1");
  }
  if (!reader.read_u32(longest_packet) || !reader.read_u8(character_set) || !reader.skip(kReserved)) {
    return fail(ErrorKind::kCorrupt, "the client's answer to the greeting is too short");
  }
  const bool tls = (claimed & kTls) != 0;
  if (tls && reader.remaining() == 0) return Read(TlsRequest{});
  // Clients also set bits that were not offered; what holds is what both sides have.
  const std::uint32_t capabilities = claimed & kOffered;
  Login login{.user = {}, .answer = {}, .plugin = {}, .tls = tls};
  std::string_view user;
  std::string_view ignored;
  std::string_view plugin;
  if (!reader.read_string_nul(user) || user.size() > kUserLengthMost ||
      !read_auth_answer(reader, capabilities, login.answer) ||
      ((capabilities & kConnectWithDatabase) != 0 && !reader.read_string_nul(ignored))) {
    return fail(ErrorKind::kCorrupt, "the client's answer to the greeting cannot be read");
  }
  // Old clients end here, or leave out the NUL behind the plugin's name. Attributes behind it are not read.
  if ((capabilities & kPluginAuth) != 0 && !reader.read_string_nul(plugin)) plugin = ByteReader::as_text(reader.rest());
  login.user = user;
  login.plugin = plugin;
  return Read(std::move(login));
}

std::vector<std::byte> encode_auth_switch(const Nonce& nonce) {
  return ByteWriter().write_u8(0xFE).write_string_nul(kPlugin).write_bytes(nonce).write_u8(0).take();
}

std::vector<std::byte> encode_fast_auth_success() {
  constexpr std::uint8_t kMoreData = 1;
  constexpr std::uint8_t kFastAuthSuccess = 3;
  return ByteWriter().write_u8(kMoreData).write_u8(kFastAuthSuccess).take();
}

std::vector<std::byte> encode_ok() {
  // No rows, no insert id, no warnings.
  return ByteWriter().write_u8(0).write_lenenc(0).write_lenenc(0).write_u16(kAutocommit).write_u16(0).take();
}

std::vector<std::byte> encode_eof() { return ByteWriter().write_u8(0xFE).write_u16(0).write_u16(kAutocommit).take(); }

std::vector<std::byte> encode_error(std::uint16_t number, std::string_view state, std::string_view text) {
  constexpr std::size_t kTextMost = 511;
  ENSURE(state.size() == 5);
  return ByteWriter()
      .write_u8(0xFF)
      .write_u16(number)
      .write_u8('#')
      .write_string(state)
      .write_string(text.substr(0, kTextMost))
      .take();
}

}  // namespace baton::replication
