#include "operator/base/acceptor.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace baton {

Acceptor::Acceptor(Fd port, std::size_t max_connections, Serve serve, Logger log)
    : listen_(std::move(port)),
      port_(port_of(listen_)),
      max_connections_(max_connections),
      serve_(std::move(serve)),
      log_(std::move(log)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Acceptor::~Acceptor() {
  thread_.request_stop();
  thread_.join();
  listen_.reset();
  for (auto& slot : slots_) slot.thread.request_stop();
}

void Acceptor::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { wake_.raise(); });
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> fds{{{listen_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), -1);
    wake_.lower();
    slots_.remove_if([](const Slot& slot) { return slot.over.load(); });
    if (fds[0].revents != 0 && !stop.stop_requested()) accept_one();
  }
}

void Acceptor::accept_one() {
  Fd socket(::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    constexpr int kPauseMilliseconds = 100;  // Out of descriptors: the queue of the port waits.
    pollfd wake{wake_.get(), POLLIN, 0};
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) ::poll(&wake, 1, kPauseMilliseconds);
    return;
  }
  if (slots_.size() >= max_connections_) {
    log_.warn("too many connections, a new one is closed", {{"limit", max_connections_}});
    return;
  }
  auto& slot = slots_.emplace_back();
  slot.thread = std::jthread([this, &slot, socket = std::move(socket)](const std::stop_token& stop) mutable {
    const std::stop_callback wake(stop, [&] { slot.wake.raise(); });
    serve_(std::move(socket), slot.wake, stop);
    slot.over = true;
    wake_.raise();
  });
}

}  // namespace baton
