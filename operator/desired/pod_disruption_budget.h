#pragma once

#include "operator/api/mysql_cluster.h"

namespace baton::desired {

/// Drains take one member at a time.
[[nodiscard]] api::Json pod_disruption_budget(const api::Cluster& cluster);

}  // namespace baton::desired
