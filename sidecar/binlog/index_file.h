#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace baton::binlog {

/// The names in an index file's text, oldest first:
///
///   index = name LF { name LF }        a name has no LF, and no NUL, and is not empty
///
/// Errors: kCorrupt when there is none, or the last line is cut.
[[nodiscard]] Result<std::vector<std::string>> parse_index(std::string_view text);

/// The files that an index lists, oldest first, names resolved: relative ones lie in `data_directory`, or beside the
/// index when that is empty. mysqld purges by writing NAME.index_crash_safe, removing NAME.index and renaming; when it
/// died in between, the former counts, as it does for mysqld (sql/binlog/index.cc). Errors: kNotFound, kRetry; kCorrupt
/// as parse_index, and for an index of more than 16 MiB.
[[nodiscard]] Result<std::vector<std::filesystem::path>> read_index(const std::filesystem::path& index_file,
                                                                    const std::filesystem::path& data_directory);

}  // namespace baton::binlog
