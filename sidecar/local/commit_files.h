#pragma once

#include <filesystem>

#include "engine/base/result.h"

namespace baton::sidecar {

/// Syncs the files on which a commit rests (binary logs and their folder, redo log files) after mysqld has written them
/// without doing so. Whatever was written before the call, by whatever process, is on disk when it returns. A file that
/// goes away meanwhile was not needed any more. Takes as long as the disk does. Errors: kRetry, naming the file.
[[nodiscard]] Result<void> sync_commit_files(const std::filesystem::path& data_directory);

}  // namespace baton::sidecar
