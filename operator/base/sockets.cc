#include "operator/base/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace baton {

WakeEvent::WakeEvent() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
void WakeEvent::raise() const { ::eventfd_write(fd_.get(), 1); }
void WakeEvent::lower() const {
  eventfd_t ignored = 0;
  ::eventfd_read(fd_.get(), &ignored);
}

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
  Fd fd(::socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto* generic = is_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  const auto size = static_cast<socklen_t>(is_six ? sizeof(six) : sizeof(four));
  if (::bind(fd.get(), generic, size) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
    return fail(ErrorKind::kRetry, "cannot listen on {} port {}: {}", address, port, std::strerror(errno));
  }
  return fd;
}

std::uint16_t port_of(const Fd& fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof(address);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);  // In the same place as sockaddr_in's.
}

}  // namespace baton
