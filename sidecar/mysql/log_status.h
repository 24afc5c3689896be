#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/mysql/mysql_session.h"

namespace baton::sidecar {

/// Up to where a server has written its binary log. That may not be synced yet: the position is taken under LOCK_log,
/// which a group of commits gives back before its sync (sql/binlog.cc, raw_get_current_log and ordered_commit). What
/// has been executed is synced.
struct LogStatus {
  std::string file;  ///< Without folder.
  std::uint64_t position = 0;
  GtidSet executed;  ///< Read before the position.
};

/// Asks the local server for SHOW BINARY LOG STATUS, over a session of its own, which it keeps. The statement waits for
/// LOCK_log, and so for every fsync of the log. One thread at a time.
class LogStatusReader {
 public:
  /// `library` must live longer. Connects to nothing yet.
  LogStatusReader(const MysqlLibrary& library, std::filesystem::path socket)
      : library_(library), socket_(std::move(socket)) {}

  /// Takes as long as the server does, a minute at most. Errors: as SqlFailure; kNotFound when it writes no binary log;
  /// kCorrupt when the set cannot be read.
  [[nodiscard]] Result<LogStatus> read(const std::stop_token& stop);
  /// Closes the session.
  void close() { session_.reset(); }

 private:
  const MysqlLibrary& library_;
  std::filesystem::path socket_;
  std::optional<Session> session_;
};

}  // namespace baton::sidecar
