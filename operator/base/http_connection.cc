#include "operator/base/http_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace baton {
namespace {

int poll_timeout(Instant deadline, Instant now) {
  constexpr Duration kLongest = std::chrono::minutes(1);
  return static_cast<int>(std::clamp(deadline - now, Duration::zero(), kLongest).count());
}

}  // namespace

HttpConnection::HttpConnection(Fd socket, const TlsContext& tls, int wake, const Clock& clock)
    : socket_(std::move(socket)), tls_(tls ? SSL_new(tls.get()) : nullptr, &SSL_free), wake_(wake), clock_(clock) {
  const int on = 1;  // A line or a short answer must not wait for the peer's acknowledgement of the one before.
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (tls_) {
    SSL_set_fd(tls_.get(), socket_.get());
    SSL_set_accept_state(tls_.get());
  }
}

Result<void> HttpConnection::wait(short events, Instant deadline) {
  for (;;) {
    std::array<pollfd, 2> fds{{{socket_.get(), events, 0}, {wake_, POLLIN, 0}}};
    const Instant now = clock_.now();
    const int ready = ::poll(fds.data(), fds.size(), poll_timeout(deadline, now));
    if (ready < 0 && errno != EINTR) return fail(ErrorKind::kRetry, "poll: {}", std::strerror(errno));
    if (ready > 0 && fds[1].revents != 0) return fail(ErrorKind::kCancelled, "the listener stops");
    if (ready > 0) return {};
    if (now >= deadline) return fail(ErrorKind::kRetry, "the client is too slow");
  }
}

// Waits for what a TLS call that could not finish needs.
Result<void> HttpConnection::after_tls(int result, Instant deadline) {
  const int error = SSL_get_error(tls_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return wait(POLLIN, deadline);
  if (error == SSL_ERROR_WANT_WRITE) return wait(POLLOUT, deadline);
  const bool ended = error == SSL_ERROR_ZERO_RETURN || error == SSL_ERROR_SYSCALL;
  Error failure = last_tls_error("TLS");
  failure.kind = ended ? ErrorKind::kGone : ErrorKind::kRetry;
  return std::unexpected(std::move(failure));
}

Result<void> HttpConnection::handshake(Instant deadline) {
  while (tls_) {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_.get());
    if (result == 1) break;
    TRY_VOID(after_tls(result, deadline));
  }
  return {};
}

Result<void> HttpConnection::read_some(std::string& into, Instant deadline) {
  std::array<char, 16 << 10> buffer;
  for (;;) {
    if (tls_) {
      ERR_clear_error();
      const int count = SSL_read(tls_.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (count > 0) return into.append(buffer.data(), static_cast<std::size_t>(count)), Result<void>();
      TRY_VOID(after_tls(count, deadline));
      continue;
    }
    const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) return into.append(buffer.data(), static_cast<std::size_t>(count)), Result<void>();
    if (count == 0) return fail(ErrorKind::kGone, "the client ended the connection");
    if (errno != EAGAIN && errno != EINTR) return fail(ErrorKind::kRetry, "recv: {}", std::strerror(errno));
    TRY_VOID(wait(POLLIN, deadline));
  }
}

Result<void> HttpConnection::write_all(std::string_view bytes, Instant deadline) {
  constexpr std::size_t kPiece = std::size_t{64} << 10;
  while (!bytes.empty()) {
    const auto size = std::min(bytes.size(), kPiece);
    if (tls_) {
      ERR_clear_error();
      const int count = SSL_write(tls_.get(), bytes.data(), static_cast<int>(size));
      if (count > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
      } else {
        TRY_VOID(after_tls(count, deadline));
      }
      continue;
    }
    const auto count = ::send(socket_.get(), bytes.data(), size, MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EINTR) {
      TRY_VOID(wait(POLLOUT, deadline));
    } else {
      return fail(ErrorKind::kGone, "send: {}", std::strerror(errno));
    }
  }
  return {};
}

Result<bool> HttpConnection::wait_for_event(int event, Instant deadline) {
  for (;;) {
    std::array<pollfd, 3> fds{{{socket_.get(), POLLIN | POLLRDHUP, 0}, {wake_, POLLIN, 0}, {event, POLLIN, 0}}};
    const Instant now = clock_.now();
    const int ready = ::poll(fds.data(), fds.size(), poll_timeout(deadline, now));
    if (ready < 0 && errno != EINTR) return fail(ErrorKind::kRetry, "poll: {}", std::strerror(errno));
    if (ready > 0 && fds[1].revents != 0) return fail(ErrorKind::kCancelled, "the listener stops");
    if (ready > 0 && fds[0].revents != 0) {
      if (!tls_ || (fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) return false;
      char byte = 0;  // TLS has messages of its own (new keys), which are no word from the client.
      ERR_clear_error();
      const int count = SSL_read(tls_.get(), &byte, 1);
      if (count > 0 || SSL_get_error(tls_.get(), count) != SSL_ERROR_WANT_READ) return false;
    }
    if (ready > 0 && fds[2].revents != 0) return true;
    if (ready == 0 && now >= deadline) return fail(ErrorKind::kRetry, "nothing happened");
  }
}

void HttpConnection::linger(Instant deadline) {
  constexpr std::size_t kEnough = std::size_t{1} << 20;
  if (tls_) SSL_shutdown(tls_.get());
  ::shutdown(socket_.get(), SHUT_WR);
  std::array<char, 16 << 10> buffer;
  for (std::size_t total = 0; total < kEnough;) {
    const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) {
      total += static_cast<std::size_t>(count);
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR) || !wait(POLLIN, deadline)) {
      return;
    }
  }
}

}  // namespace baton
