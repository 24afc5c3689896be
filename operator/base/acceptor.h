#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <stop_token>
#include <thread>

#include "operator/base/fd.h"
#include "operator/base/log.h"
#include "operator/base/sockets.h"

namespace baton {

/// Takes the connections that come to a port and gives each a thread: for servers of a handful of clients. Thread-safe.
class Acceptor {
 public:
  /// Serves one connection on its thread until it returns. `wake` is the connection's own; it is raised when `stop` is
  /// requested, and may be used for other news too.
  using Serve = std::function<void(Fd socket, const WakeEvent& wake, const std::stop_token& stop)>;

  /// Begins at once. `port`: of open_port. Connections beyond `max_connections` are closed as they come.
  Acceptor(Fd port, std::size_t max_connections, Serve serve, Logger log);
  /// Closes the port, stops every connection and waits for its thread.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  struct Slot {
    WakeEvent wake;
    std::atomic<bool> over = false;
    std::jthread thread;  // Last: joined before what it uses goes.
  };

  void run(const std::stop_token& stop);
  void accept_one();

  Fd listen_;
  const std::uint16_t port_;
  const std::size_t max_connections_;
  const Serve serve_;
  const Logger log_;
  WakeEvent wake_;         // Raised by the stop and by connections that end.
  std::list<Slot> slots_;  // Of the acceptor's thread; of the destructor after it.
  std::jthread thread_;
};

}  // namespace baton
