#include "sidecar/local/gate_link.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace baton::sidecar {

Result<std::unique_ptr<GateLink>> GateLink::open(const std::filesystem::path& path,
                                                 std::function<void(const GateMessage&)> on_message, Logger log) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto text = path.string();
  if (text.size() >= sizeof(address.sun_path)) {
    return fail(ErrorKind::kTerminal, "{} is too long for a unix socket", text);
  }
  text.copy(address.sun_path, sizeof(address.sun_path) - 1);
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::unlink(text.c_str());  // Left by an earlier sidecar; the pod has one at a time.
  const auto* const general = reinterpret_cast<const sockaddr*>(&address);  // How the socket interface is made.
  if (!listener || ::bind(listener.get(), general, sizeof(address)) != 0 || ::chmod(text.c_str(), 0600) != 0 ||
      ::listen(listener.get(), 4) != 0) {
    return fail(ErrorKind::kTerminal, "failed to listen on {}: {}", text, std::strerror(errno));
  }
  return std::unique_ptr<GateLink>(new GateLink(std::move(listener), std::move(on_message), std::move(log)));
}

GateLink::GateLink(Fd listener, std::function<void(const GateMessage&)> on_message, Logger log)
    : on_message_(std::move(on_message)),
      log_(std::move(log)),
      listener_(std::move(listener)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

GateLink::~GateLink() {
  thread_.request_stop();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));
  thread_.join();
}

bool GateLink::send(const GateMessage& message) {
  const auto bytes = encode(message);
  const std::scoped_lock lock(mutex_);
  // Messages are far smaller than a socket's buffer; a gate that lets it fill up stands still and is as good as away.
  return gate_ && ::send(gate_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                      static_cast<ssize_t>(bytes.size());
}

void GateLink::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    // Only this thread replaces gate_, so that it may be read here without the lock.
    std::array<pollfd, 3> fds = {pollfd{wake_.get(), POLLIN, 0}, pollfd{gate_.get(), POLLIN, 0},
                                 pollfd{listener_.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    // First what the old connection still says, then a new one.
    if (fds[1].revents != 0) read_gate();
    if (fds[2].revents != 0) accept_gate();
  }
}

void GateLink::accept_gate() {
  Fd gate(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!gate) return;
  ucred peer{};
  socklen_t size = sizeof(peer);
  ::getsockopt(gate.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
  // A peer of another process namespace has no pid here, and neither would its mysqld.
  if (peer.pid == 0) return log_.error("the gate refused: the pod needs shareProcessNamespace");
  if (peer.uid != ::geteuid() && peer.uid != 0) {
    return log_.error("the gate refused: it has another user id than the sidecar", {{"uid", peer.uid}});
  }
  drop_gate();
  reader_ = {};
  const std::scoped_lock lock(mutex_);
  gate_ = std::move(gate);
}

void GateLink::read_gate() {
  std::array<char, 16384> bytes;
  const auto count = ::recv(gate_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) return drop_gate();
  reader_.feed({bytes.data(), static_cast<std::size_t>(count)});
  while (true) {
    const auto message = reader_.next();
    if (!message) {
      log_.error("the gate's words cannot be read", {{"error", message.error().what}});
      return drop_gate();
    }
    if (!*message) return;
    on_message_(**message);
  }
}

void GateLink::drop_gate() {
  {
    const std::scoped_lock lock(mutex_);
    if (!gate_) return;
    gate_.reset();
  }
  on_message_({});
}

}  // namespace baton::sidecar
