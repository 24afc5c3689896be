#pragma once

#include <openssl/ssl.h>
#include <unistd.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/result.h"
#include "operator/base/clock.h"

namespace baton {

/// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

using TlsContext = std::shared_ptr<SSL_CTX>;

/// Server side of TLS 1.2 and up with this chain and key (PEM files). Fails with kTerminal.
[[nodiscard]] Result<TlsContext> load_server_tls(const std::string& certificate_file, const std::string& key_file);

/// One accepted connection, plain or TLS: bytes in and out with deadlines. Every wait also ends, with kCancelled, when
/// the wake descriptor becomes readable. For one thread, which must have SIGPIPE blocked (OpenSSL writes with write).
class HttpConnection {
 public:
  /// tls may be null. wake must outlive the connection.
  HttpConnection(Fd socket, const TlsContext& tls, int wake, const Clock& clock);

  Result<void> handshake(Instant deadline);
  /// Appends what is there, at least one byte. Fails with kGone when the peer ended the connection, kRetry on errors
  /// and at the deadline.
  Result<void> read_some(std::string& into, Instant deadline);
  Result<void> write_all(std::string_view bytes, Instant deadline);
  /// Waits until `event` is readable (true), or the peer sent something or went away (false).
  Result<bool> wait_for_event(int event, Instant deadline);
  /// Ends the sending side and reads on a little, so that the peer gets our last answer before the reset that unread
  /// input would cause.
  void linger(Instant deadline);

 private:
  Result<void> wait(short events, Instant deadline);
  Result<void> after_tls(int result, Instant deadline);

  Fd socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
  int wake_;
  const Clock& clock_;
};

}  // namespace baton
