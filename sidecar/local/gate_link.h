#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "operator/base/fd.h"
#include "operator/base/log.h"
#include "sidecar/local/gate_protocol.h"

namespace baton::sidecar {

/// The sidecar's end of the gate's socket: listens, keeps the newest connection, hands on messages. Thread-safe.
class GateLink {
 public:
  /// `on_message` gets each message, an empty one when the connection was lost; on the link's own thread.
  /// Errors: kTerminal when the socket cannot be made.
  [[nodiscard]] static Result<std::unique_ptr<GateLink>> open(const std::filesystem::path& path,
                                                              std::function<void(const GateMessage&)> on_message,
                                                              Logger log);
  ~GateLink();
  GateLink(const GateLink&) = delete;
  GateLink& operator=(const GateLink&) = delete;

  /// False when no gate is connected; it will say what it does when it dials again.
  bool send(const GateMessage& message);

 private:
  GateLink(Fd listener, std::function<void(const GateMessage&)> on_message, Logger log);
  void run(const std::stop_token& stop);
  void accept_gate();
  void read_gate();
  void drop_gate();

  std::function<void(const GateMessage&)> on_message_;
  Logger log_;
  Fd listener_;
  Fd wake_;
  GateMessageReader reader_;
  std::mutex mutex_;
  Fd gate_;
  std::jthread thread_;
};

}  // namespace baton::sidecar
