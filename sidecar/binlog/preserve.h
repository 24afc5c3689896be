#pragma once

#include <cstddef>
#include <filesystem>

#include "engine/base/result.h"
#include "sidecar/binlog/log_index.h"

namespace baton::binlog {

struct Preserved {
  std::size_t linked = 0;  ///< Files that got a second name now.
  std::size_t kept = 0;    ///< Files that had one already.
  LogListing logs;         ///< To be followed by a LogIndex.
};

/// Gives every file of an index a second name in the folder `into` of the same file system, so that nothing that mysqld
/// does to its own names (purge, RESET REPLICA, CHANGE REPLICATION SOURCE TO) takes the bytes away, and writes an index
/// of all that is kept there. Copies nothing; a file that mysqld still writes goes on growing under both names. May be
/// called again at any time, also after it was interrupted: what is there is left alone. A name that another file has
/// there gets a number behind it. Makes the folder if there is none. The bytes are fsynced: a receiver's are not
/// always. Errors: kRetry when the disk refuses, kTerminal when the folder lies on another file system, else as
/// read_index.
[[nodiscard]] Result<Preserved> preserve_logs(const LogListing& logs, const std::filesystem::path& into);

}  // namespace baton::binlog
