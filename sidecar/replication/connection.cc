#include "sidecar/replication/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace baton::replication {
namespace {

constexpr std::size_t kInputLength = std::size_t{64} << 10;
/// Room for what is written behind the soft limit: the rest of an answer.
constexpr std::size_t kOutputSlack = std::size_t{64} << 10;

/// Characters of a GTID set in a log line.
constexpr std::size_t kShownSet = 1000;

int poll_timeout(Instant until, Instant now) {
  constexpr Duration kLongest = std::chrono::minutes(1);
  if (until <= now) return 0;
  return static_cast<int>(until - now > kLongest ? kLongest.count() : (until - now).count());
}

}  // namespace

Connection::Connection(Parts parts, SourceSession session)
    : parts_(std::move(parts)), session_(std::move(session)), incoming_(kInputLength) {
  const int on = 1;  // Heartbeats and answers must not wait for the acknowledgement of what went before.
  ::setsockopt(parts_.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // Heartbeats to a node that is gone fill the socket's buffer too slowly for send() to notice.
  const auto silence = static_cast<unsigned>(parts_.options.send_timeout.count());
  ::setsockopt(parts_.socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof(silence));
}

Connection::~Connection() {
  subscription_.reset();
  if (noted_) parts_.observer.dump_ended(*session_.receiver(), parts_.wake);
}

void Connection::run(const std::stop_token& stop) {
  const auto done = serve(stop);
  const std::string& why = done ? session_.why_closed() : done.error().what;
  if (noted_) {
    parts_.log.info("receiver left", {{"reason", why}});
  } else if (!why.empty()) {
    parts_.log.info("connection ended", {{"reason", why}});
  }
}

Result<void> Connection::serve(const std::stop_token& stop) {
  OutputBuffer out(parts_.options.limits.output + kOutputSlack);
  while (!stop.stop_requested()) {
    if (replaced_) session_.replace();
    out.clear();
    const auto next = session_.produce(out, moment());
    if (!out.empty()) TRY_VOID(send(out.bytes(), stop));
    note_receiver();
    switch (next.kind) {
      case SourceSession::Next::Kind::kProduce: TRY_VOID(receive()); break;
      case SourceSession::Next::Kind::kWait: TRY_VOID(wait_for_work(next)); break;
      case SourceSession::Next::Kind::kStartTls: TRY_VOID(begin_tls(next.until, stop)); break;
      case SourceSession::Next::Kind::kClose: say_goodbye(stop); return {};
    }
  }
  return fail(ErrorKind::kCancelled, "the server stops");
}

void Connection::note_receiver() {
  if (noted_ || !session_.receiver()) return;
  noted_ = true;
  const Receiver& receiver = *session_.receiver();
  parts_.log = parts_.log.with({{"receiver", receiver.uuid}, {"server_id", receiver.server_id}});
  parts_.log.info("receiver asks for transactions",
                  {{"user", receiver.user}, {"has", receiver.have.to_string().substr(0, kShownSet)}});
  parts_.observer.dump_begins(receiver, parts_.wake, replaced_);
  subscription_ = parts_.source.subscribe([&wake = parts_.wake] { wake.raise(); });
}

Result<void> Connection::begin_tls(Instant deadline, const std::stop_token& stop) {
  tls_.emplace(parts_.tls);
  tls_->feed(session_.start_tls());
  for (;;) {
    const auto done = tls_->handshake();
    // Also when it failed: the alert tells the client why.
    const auto sent = send_raw(tls_->pending(), stop);
    tls_->sent();
    TRY_VOID(done);
    TRY_VOID(sent);
    if (*done) break;
    if (parts_.clock.now() >= deadline) return fail(ErrorKind::kRetry, "the TLS handshake took too long");
    if (stop.stop_requested()) return fail(ErrorKind::kCancelled, "the server stops");
    TRY(readable, wait_for(POLLIN, deadline));
    if (!readable) continue;
    const auto count = ::recv(parts_.socket.get(), incoming_.data(), incoming_.size(), MSG_DONTWAIT);
    if (count == 0) return fail(ErrorKind::kGone, "the client left within the TLS handshake");
    if (count > 0) tls_->feed(std::span(incoming_).first(static_cast<std::size_t>(count)));
  }
  return receive();  // What came behind the handshake.
}

Result<void> Connection::wait_for_work(const SourceSession::Next& next) {
  const bool polls = next.or_data && subscription_ == nullptr;
  TRY(readable,
      wait_for(POLLIN, polls ? std::min(next.until, parts_.clock.now() + BinlogServer::kPollInterval) : next.until));
  return readable ? receive() : Result<void>();
}

Result<bool> Connection::wait_for(short events, Instant until) {
  std::array<pollfd, 2> fds{{{parts_.socket.get(), events, 0}, {parts_.wake.get(), POLLIN, 0}}};
  if (::poll(fds.data(), fds.size(), poll_timeout(until, parts_.clock.now())) < 0) {
    if (errno == EINTR) return false;
    return fail(ErrorKind::kRetry, "poll: {}", std::strerror(errno));
  }
  // Whatever it was for is looked at after every wait: a stop, a later connection of the receiver, more data.
  if (fds[1].revents != 0) parts_.wake.lower();
  return fds[0].revents != 0;
}

Result<void> Connection::receive() {
  const auto count = ::recv(parts_.socket.get(), incoming_.data(), incoming_.size(), MSG_DONTWAIT);
  if (count == 0) return fail(ErrorKind::kGone, "the client ended the connection");
  if (count < 0 && errno != EAGAIN && errno != EINTR) return fail(ErrorKind::kGone, "recv: {}", std::strerror(errno));
  const auto bytes = std::span(incoming_).first(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (!tls_) {
    session_.feed(bytes);
    return {};
  }
  tls_->feed(bytes);
  decrypted_.clear();
  const auto done = tls_->decrypt(decrypted_);
  session_.feed(decrypted_);
  return done;
}

Result<void> Connection::send(std::span<const std::byte> bytes, const std::stop_token& stop) {
  parts_.observer.sent(bytes.size());
  if (!tls_) return send_raw(bytes, stop);
  TRY_VOID(tls_->encrypt(bytes));
  const auto done = send_raw(tls_->pending(), stop);
  tls_->sent();
  return done;
}

Result<void> Connection::send_raw(std::span<const std::byte> bytes, const std::stop_token& stop) {
  Instant deadline = parts_.clock.now() + parts_.options.send_timeout;
  while (!bytes.empty()) {
    const auto count = ::send(parts_.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    const Instant now = parts_.clock.now();
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      deadline = now + parts_.options.send_timeout;
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return fail(ErrorKind::kGone, "send: {}", std::strerror(errno));
    if (stop.stop_requested()) return fail(ErrorKind::kCancelled, "the server stops");
    if (replaced_) return fail(ErrorKind::kGone, "the same receiver has connected anew");
    if (now >= deadline) return fail(ErrorKind::kRetry, "the client takes nothing any more");
    TRY_VOID(wait_for(POLLOUT, deadline));
  }
  return {};
}

/// Input that nobody read would reset the connection, and the client might lose our last words.
void Connection::say_goodbye(const std::stop_token& stop) {
  if (tls_) {
    tls_->close();
    if (!send_raw(tls_->pending(), stop)) return;
  }
  ::shutdown(parts_.socket.get(), SHUT_WR);
  const Instant deadline = parts_.clock.now() + Duration(1000);
  while (parts_.clock.now() < deadline && !stop.stop_requested()) {
    const auto readable = wait_for(POLLIN, deadline);
    if (!readable) return;
    if (!*readable) continue;
    const auto count = ::recv(parts_.socket.get(), incoming_.data(), incoming_.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return;
  }
}

Moment Connection::moment() const {
  const auto wall = std::chrono::floor<std::chrono::seconds>(parts_.clock.wall());
  return {.now = parts_.clock.now(), .unix_seconds = wall.time_since_epoch().count()};
}

}  // namespace baton::replication
