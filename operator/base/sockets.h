#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "engine/base/result.h"

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

/// An eventfd: poll sees it readable from raise() until lower(). Thread-safe.
class WakeEvent {
 public:
  WakeEvent();
  [[nodiscard]] int get() const { return fd_.get(); }
  void raise() const;
  void lower() const;

 private:
  Fd fd_;
};

/// A listening TCP port, non-blocking. `address`: IPv4 or IPv6; `port` 0: any free one. Fails with kRetry (port taken)
/// or kTerminal (no address).
[[nodiscard]] Result<Fd> open_port(const std::string& address, std::uint16_t port);
/// The port that a socket is bound to.
[[nodiscard]] std::uint16_t port_of(const Fd& fd);

}  // namespace baton
