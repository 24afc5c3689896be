#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "engine/base/ids.h"
#include "operator/kube/object_store.h"
#include "operator/ports/cluster_key.h"

namespace baton::reconcile {

/// What Kubernetes says is wrong with a pod, as a sentence; empty if nothing is: unscheduled, image not pulled, crash
/// loop, failed init container, evicted. Field names: k8s.io/api/core/v1 PodStatus. Pure.
[[nodiscard]] std::string pod_trouble(const nlohmann::json& pod);

/// Whether Kubernetes found no node for the pod, or waits for its volume before it looks for one. Pure.
[[nodiscard]] bool unscheduled(const nlohmann::json& pod);

/// Whether the kubelet reported every container of a pod that is over (deleted or ended) as terminated, native sidecars
/// included. A pod that was deleted by force from the API, or whose node was lost, never gets there. Pure.
[[nodiscard]] bool all_containers_ended(const nlohmann::json& pod);

/// The cluster that a labelled object belongs to; an empty name if its label is missing.
[[nodiscard]] ClusterKey owner_of(const nlohmann::json& object);

/// Remembers which pods have ended, also after they vanished; the newest kMaxPods of each cluster. Thread-safe.
class EndedPods {
 public:
  static constexpr std::size_t kMaxPods = 64;

  /// To be told of every change that the pod informer sees.
  void note(const kube::Change& change);
  [[nodiscard]] std::set<PodUid> of(const ClusterKey& key) const;
  void forget(const ClusterKey& key);

 private:
  mutable std::mutex mutex_;
  std::map<ClusterKey, std::deque<PodUid>> ended_;
};

}  // namespace baton::reconcile
