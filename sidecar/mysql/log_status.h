#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/base/result.h"
#include "sidecar/mysql/mysql_session.h"

namespace baton::sidecar {

/// Up to where a server shows its binary log to replicas.
struct LogStatus {
  std::string file;  ///< Without folder.
  std::uint64_t position = 0;
};

/// Asks the local server for SHOW BINARY LOG STATUS, over a session of its own, which it keeps. The statement waits for
/// LOCK_log, and so for every fsync of the log. One thread at a time.
class LogStatusReader {
 public:
  /// `library` must live longer. Connects to nothing yet.
  LogStatusReader(const MysqlLibrary& library, std::filesystem::path socket)
      : library_(library), socket_(std::move(socket)) {}

  /// Takes as long as the server does, a minute at most. Errors: as SqlFailure; kNotFound when it writes no binary log.
  [[nodiscard]] Result<LogStatus> read(const std::stop_token& stop);
  /// Closes the session.
  void close() { session_.reset(); }

 private:
  const MysqlLibrary& library_;
  std::filesystem::path socket_;
  std::optional<Session> session_;
};

}  // namespace baton::sidecar
