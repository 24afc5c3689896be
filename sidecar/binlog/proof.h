#pragma once

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/log_index.h"

namespace baton::binlog {

/// What the logs of a server that is dead prove to have been executed or received there, once all of them were read:
/// every complete transaction in binary logs and relay logs, and what was executed before them. `outside` is what is
/// known to have been executed and lies in no log.
///
/// A file that is damaged, encrypted or missing is no obstacle if a later one tells by its PREVIOUS_GTIDS what was
/// before it (of a relay log: the next one, and only if it holds what this one still shows, since channels before the
/// last know nothing of each other): then it is known what there was, though not all of it can be served. Errors: the
/// problem of a file behind which nothing tells; kCorrupt when no binary log has a head, or when the relay logs name
/// transactions as received that are neither in any file nor executed.
[[nodiscard]] Result<GtidSet> prove(const LogSnapshot& snapshot, const GtidSet& outside);

}  // namespace baton::binlog
