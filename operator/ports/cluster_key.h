#pragma once

#include <format>
#include <string>

#include "operator/kube/resource.h"

namespace baton {

/// Names one MySQLReplicationCluster: what the work queue holds and what everything per cluster is kept under.
using ClusterKey = kube::ObjectKey;

/// "namespace/name", for logs.
[[nodiscard]] inline std::string to_string(const ClusterKey& key) { return std::format("{}", key); }

}  // namespace baton
