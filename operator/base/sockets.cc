#include "operator/base/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <expected>

namespace baton {

WakeEvent::WakeEvent() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
void WakeEvent::raise() const { ::eventfd_write(fd_.get(), 1); }
void WakeEvent::lower() const {
  eventfd_t ignored = 0;
  ::eventfd_read(fd_.get(), &ignored);
}

namespace {

/// A socket that listens there, or errno.
std::expected<Fd, int> listen_on(const sockaddr* address, socklen_t size) {
  Fd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address->sa_family == AF_INET6) {
    const int off = 0;  // "::" is meant to be IPv4 too, whatever net.ipv6.bindv6only says.
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (!fd || ::bind(fd.get(), address, size) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) return std::unexpected(errno);
  return fd;
}

}  // namespace

Result<Fd> open_port(const std::string& address, std::uint16_t port) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  const bool is_six = ::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1;
  if (!is_six && ::inet_pton(AF_INET, address.c_str(), &four.sin_addr) != 1) {
    return fail(ErrorKind::kTerminal, "'{}' is no IP address", address);
  }
  six.sin6_family = AF_INET6;
  four.sin_family = AF_INET;
  six.sin6_port = four.sin_port = htons(port);
  const auto* generic = is_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  const auto size = static_cast<socklen_t>(is_six ? sizeof(six) : sizeof(four));
  auto fd = listen_on(generic, size);
  if (fd) return *std::move(fd);
  const bool no_six = fd.error() == EAFNOSUPPORT || fd.error() == EADDRNOTAVAIL;
  if (address == kEveryAddress && no_six) return open_port("0.0.0.0", port);
  return fail(ErrorKind::kRetry, "cannot listen on {} port {}: {}", address, port, std::strerror(fd.error()));
}

std::uint16_t port_of(const Fd& fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof(address);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);  // In the same place as sockaddr_in's.
}

}  // namespace baton
