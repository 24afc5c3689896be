#pragma once

#include <optional>
#include <string>

#include "operator/api/mysql_cluster.h"

namespace baton::desired {

/// What the StatefulSet needs besides the spec.
struct StatefulSetInputs {
  std::string sidecar_image;
  std::string sidecar_pull_policy = "IfNotPresent";
  int replicas = 3;  ///< Decided by the engine: a member that still matters is not scaled away.
  /// Size in the existing StatefulSet's claim template, which cannot be changed (claim_size_of); absent for a new one.
  /// Existing claims grow by claim_growth (volume_claims.h), the later ones right after they were made.
  std::optional<std::string> claim_size;
};

/// The members: one pod each, with a native sidecar, the gate as the entry point of mysqld's container, and a volume.
/// Pods are started side by side and never restarted because the template changed (OnDelete). The template does not
/// depend on `replicas`, so that scaling makes no new revision.
[[nodiscard]] api::Json stateful_set(const api::Cluster& cluster, const StatefulSetInputs& inputs);

/// The claim template's size in a StatefulSet as read from the API server; nothing if it has no such template.
[[nodiscard]] std::optional<std::string> claim_size_of(const api::Json& stateful_set);

}  // namespace baton::desired
