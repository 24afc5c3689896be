#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/replication/scramble.h"

/// The connection phase ("Connection Phase" in the server's source documentation; sql/auth/sql_authentication.cc):
///
///   server  HandshakeV10
///   client  [ SSLRequest, then TLS ] HandshakeResponse41
///   server  [ AuthSwitchRequest ]                          client  scramble
///   server  AuthMoreData(fast) OK | ERR
namespace baton::replication {

/// Bits of the capabilities (include/mysql_com.h).
enum Capability : std::uint32_t {
  kLongPassword = 1U << 0,
  kConnectWithDatabase = 1U << 3,
  kProtocol41 = 1U << 9,
  kTls = 1U << 11,
  kSecureConnection = 1U << 15,
  kPluginAuth = 1U << 19,
  kConnectAttributes = 1U << 20,
  kLengthEncodedAuth = 1U << 21,
};

/// What is offered. Not DEPRECATE_EOF, SESSION_TRACK and QUERY_ATTRIBUTES, which change the form of answers and
/// queries and bring a receiver nothing.
inline constexpr std::uint32_t kOffered = kLongPassword | kConnectWithDatabase | kProtocol41 | kSecureConnection |
                                          kPluginAuth | kConnectAttributes | kLengthEncodedAuth;

inline constexpr std::string_view kPlugin = "caching_sha2_password";

struct Greeting {
  std::string version;
  std::uint32_t connection_id = 0;
  Nonce nonce{};
  bool offers_tls = true;
};
[[nodiscard]] std::vector<std::byte> encode_greeting(const Greeting& greeting);

/// The client asks for TLS; nothing of its answer is in here.
struct TlsRequest {};
struct Login {
  std::string user;
  std::vector<std::byte> answer;  ///< To the nonce, by `plugin`.
  std::string plugin;             ///< Empty when the client does not say.
  bool tls = false;               ///< Whether the client claims TLS.
};
/// The client's answer to the greeting. Errors: kCorrupt; kTerminal for a client of before 4.1.
[[nodiscard]] Result<std::variant<TlsRequest, Login>> read_login(std::span<const std::byte> message);

[[nodiscard]] std::vector<std::byte> encode_auth_switch(const Nonce& nonce);
/// AuthMoreData: the scramble was right, no password is needed.
[[nodiscard]] std::vector<std::byte> encode_fast_auth_success();

[[nodiscard]] std::vector<std::byte> encode_ok();
[[nodiscard]] std::vector<std::byte> encode_eof();
/// `state`: the five characters of SQLSTATE. Text over what clients keep (MYSQL_ERRMSG_SIZE, 512) is cut.
[[nodiscard]] std::vector<std::byte> encode_error(std::uint16_t number, std::string_view state, std::string_view text);

}  // namespace baton::replication
