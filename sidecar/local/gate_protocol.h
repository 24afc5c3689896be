#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

/// What gate and sidecar say to each other over the unix socket. The grammar (README.md has the list of messages):
///
///     message = count LF count*( length LF bytes LF )
///
/// count and length are decimal; the first field is the message's name. Fields may hold any bytes, so arguments and
/// log lines need no quoting.
namespace baton::sidecar {

using GateMessage = std::vector<std::string>;

// Sidecar to gate. kStart and kInitialize are followed by mysqld's arguments.
inline constexpr std::string_view kGateStart = "start";
inline constexpr std::string_view kGateInitialize = "initialize";
inline constexpr std::string_view kGateKill = "kill";
inline constexpr std::string_view kGateTerminate = "terminate";

// Gate to sidecar.
inline constexpr std::string_view kGateHello = "hello";              ///< "idle" | "running" pid "server"|"initialize"
inline constexpr std::string_view kGateStarted = "started";          ///< pid "server"|"initialize"
inline constexpr std::string_view kGateExited = "exited";            ///< pid "status"|"signal" number tail
inline constexpr std::string_view kGateRefused = "refused";          ///< sentence
inline constexpr std::string_view kGateTerminating = "terminating";  ///< (nothing)

/// mysqld's exit status when it wants to be started again (RESTART, CLONE): MYSQLD_RESTART_EXIT, sql/sql_const.h.
inline constexpr int kMysqldRestartExit = 16;

/// The bytes of one message.
[[nodiscard]] std::string encode(const GateMessage& message);

/// Cuts a byte stream into messages.
class GateMessageReader {
 public:
  static constexpr std::size_t kMaxFields = 256;
  static constexpr std::size_t kMaxField = 64 * 1024;

  void feed(std::string_view bytes) { buffer_ += bytes; }
  /// The next whole message, or nothing yet. Errors: kCorrupt; the stream cannot be read on after that.
  [[nodiscard]] Result<std::optional<GateMessage>> next();

 private:
  std::string buffer_;
};

/// A decimal number as pids, statuses and signals are sent. Errors: kCorrupt.
[[nodiscard]] Result<int> parse_gate_number(std::string_view text);

}  // namespace baton::sidecar
