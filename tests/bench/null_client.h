#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "operator/base/fd.h"
#include "sidecar/replication/packet.h"
#include "sidecar/replication/scramble.h"

namespace baton::bench {

/// A receiver that throws away what it gets, as `repl` with password `secret`, of a mysqld or of the binlog server: the
/// kernel drops what has come in without copying it, and TLS is not decrypted, so that the source alone is measured.
/// For one thread.
class NullClient {
 public:
  /// Connects to a port of this machine and logs in. Errors: kRetry, kDenied, kTerminal.
  [[nodiscard]] static Result<NullClient> log_in(std::uint16_t port, bool with_tls);

  /// Asks for all transactions and takes them until the source ends the connection. Gives the bytes that came.
  [[nodiscard]] Result<std::uint64_t> drain();

 private:
  NullClient() = default;

  [[nodiscard]] Result<void> connect(std::uint16_t port);
  [[nodiscard]] Result<void> begin_tls();
  [[nodiscard]] Result<void> authenticate(const replication::Nonce& nonce);
  [[nodiscard]] Result<void> send(std::span<const std::byte> bytes);
  /// The next message of the source.
  [[nodiscard]] Result<std::string> message();
  [[nodiscard]] Result<void> ask(const std::string& statement);

  Fd socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, &SSL_free};
  replication::PacketReader reader_{std::size_t{1} << 20};
};

}  // namespace baton::bench
