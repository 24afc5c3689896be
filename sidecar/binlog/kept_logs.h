#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/binlog/log_index.h"

namespace baton::binlog {

/// A file in a folder of kept logs.
struct KeptLog {
  std::filesystem::path path;
  FileFacts facts;

  friend bool operator==(const KeptLog&, const KeptLog&) = default;
};

/// Gives every file of an index a second name in logs.kept_folder, on the same file system, so that nothing that mysqld
/// or a person does to its names (purge, RESET REPLICA, CHANGE REPLICATION SOURCE TO) takes the bytes away. Gives how
/// many got one now. Copies nothing; a file that mysqld still writes goes on growing under both names. May be called
/// again at any time, also after it was interrupted: what is there is left alone. A name that another file has there
/// gets a number behind it. Makes the folder if there is none. Errors: kRetry when the disk refuses, or when a listed
/// file is missing (the others are kept all the same); kTerminal when the folder lies on another file system; else as
/// read_index.
[[nodiscard]] Result<std::size_t> keep_logs(const LogListing& logs);

/// What is kept in a folder, in the order in which it was written; nothing where there is no folder. Errors: kRetry.
[[nodiscard]] Result<std::vector<KeptLog>> kept_logs(const std::filesystem::path& folder);

/// Whether every listed file that is there has a second name. Errors: as read_index; kRetry.
[[nodiscard]] Result<bool> are_kept(const LogListing& logs);

/// Makes names and bytes survive a loss of power; a receiver's bytes are not always synced. Errors: kRetry.
[[nodiscard]] Result<void> sync_kept_logs(const std::filesystem::path& folder);

/// Which kept relay logs may lose their second names: those that mysqld does not list any more, that have no other
/// name, and whose transactions are all in the binary logs of the same member (the last-copy guard). `snapshot` is of
/// an index that follows the folder; one that is not complete, and a file with a problem, allow nothing. A file that
/// still has its first name may grow, whatever the index seems to say: mysqld deletes index files and renames others
/// into their place.
[[nodiscard]] std::vector<std::filesystem::path> releasable_relay_logs(const LogSnapshot& snapshot,
                                                                       const std::filesystem::path& folder);

/// Takes a second name away; none is no error. Errors: kRetry.
[[nodiscard]] Result<void> release_log(const std::filesystem::path& path);

}  // namespace baton::binlog
