#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "operator/base/clock.h"
#include "operator/base/server_tls.h"
#include "operator/base/sockets.h"

namespace baton {

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
