#pragma once

#include <cstdint>
#include <string>

#include "engine/base/result.h"
#include "operator/base/fd.h"

namespace baton {

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

/// Every address of the host, IPv6 and IPv4.
inline constexpr const char* kEveryAddress = "::";

/// A listening TCP port, non-blocking. `address`: IPv4 or IPv6; kEveryAddress is IPv4's alone where the kernel has no
/// IPv6. `port` 0: any free one. Fails with kRetry (port taken) or kTerminal (no address).
[[nodiscard]] Result<Fd> open_port(const std::string& address, std::uint16_t port);
/// The port that a socket is bound to.
[[nodiscard]] std::uint16_t port_of(const Fd& fd);

}  // namespace baton
