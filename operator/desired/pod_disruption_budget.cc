#include "operator/desired/pod_disruption_budget.h"

#include "operator/desired/metadata.h"

namespace baton::desired {

Json pod_disruption_budget(const Cluster& cluster) {
  return {
      {"apiVersion", "policy/v1"},
      {"kind", "PodDisruptionBudget"},
      {"metadata", owned_metadata(cluster, cluster.names().pod_disruption_budget())},
      {"spec", {{"maxUnavailable", 1}, {"selector", {{"matchLabels", selector_labels(cluster)}}}}},
  };
}

}  // namespace baton::desired
