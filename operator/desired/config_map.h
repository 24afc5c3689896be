#pragma once

#include "engine/base/result.h"
#include "operator/api/mysql_cluster.h"

namespace baton::desired {

/// my.cnf: Baton's defaults, spec.mysql.config over them, the pinned settings last. The same for all members; what
/// differs between them is on mysqld's command line. Errors: kTerminal with a sentence for each setting that is refused
/// (the schema refuses most of them already).
[[nodiscard]] Result<api::Json> config_map(const api::Cluster& cluster);

}  // namespace baton::desired
