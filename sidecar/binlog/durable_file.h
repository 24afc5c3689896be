#pragma once

#include <filesystem>
#include <string_view>

#include "engine/base/result.h"

namespace baton::binlog {

/// Puts a file in the place of another, or of none, so that after a loss of power there is the old one or the new one,
/// whole: written beside, fsynced, renamed, folder fsynced. Errors: kRetry.
[[nodiscard]] Result<void> replace_durably(const std::filesystem::path& path, std::string_view text);

/// Makes names in a folder, or a file's bytes, survive a loss of power. Errors: kRetry.
[[nodiscard]] Result<void> sync_path(const std::filesystem::path& path);

}  // namespace baton::binlog
