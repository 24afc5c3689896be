#pragma once

#include <filesystem>
#include <string_view>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"

namespace baton::binlog {

/// A GTID set in a small text file beside the logs: what was executed but lies in no log, since a data directory was
/// cloned or gtid_purged was set.
///
///   file = "baton-gtid-set 1" LF set LF "end" LF        set as GtidSet::to_string
///
/// Replaces what was there; after a loss of power the old or the new set is there. Errors: kRetry.
[[nodiscard]] Result<void> write_gtid_file(const std::filesystem::path& path, const GtidSet& set);

/// Errors: kNotFound, kRetry; kCorrupt for a file that is not whole or has more than 16 MiB.
[[nodiscard]] Result<GtidSet> read_gtid_file(const std::filesystem::path& path);

/// The set in the text of such a file. Errors: kCorrupt.
[[nodiscard]] Result<GtidSet> parse_gtid_file(std::string_view text);

}  // namespace baton::binlog
