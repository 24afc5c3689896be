#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/result.h"
#include "operator/base/server_tls.h"

namespace baton::replication {

/// The server side of TLS without a socket: ciphertext and plaintext in, plaintext and ciphertext out. So bytes that
/// were read too far before TLS began reach it too, and a megabyte is sent with one system call, not one for each
/// record of 16 KiB. For one thread.
class TlsChannel {
 public:
  explicit TlsChannel(const TlsContext& context);

  /// What came from the peer.
  void feed(std::span<const std::byte> ciphertext);
  /// Goes on with the handshake: whether it is done. Errors: kTerminal with the reason.
  [[nodiscard]] Result<bool> handshake();
  /// Appends what can be decrypted now. Errors: kGone when the peer ended the channel, kTerminal.
  [[nodiscard]] Result<void> decrypt(std::vector<std::byte>& plaintext);
  /// Errors: kTerminal.
  [[nodiscard]] Result<void> encrypt(std::span<const std::byte> plaintext);
  /// Says to the peer that nothing more will come.
  void close();

  /// What is to be sent to the peer; sent() forgets it.
  [[nodiscard]] std::span<const std::byte> pending() const;
  void sent();

 private:
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
  BIO* incoming_;  // Of tls_.
  BIO* outgoing_;  // Of tls_.
};

}  // namespace baton::replication
