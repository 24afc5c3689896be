#pragma once

#include <filesystem>

#include "engine/base/result.h"

namespace baton::binlog {

/// Makes names in a folder, or a file's bytes, survive a loss of power. Errors: kRetry.
[[nodiscard]] Result<void> sync_path(const std::filesystem::path& path);

}  // namespace baton::binlog
