#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/model/observed.h"
#include "engine/model/spec.h"
#include "operator/api/mysql_cluster.h"
#include "operator/kube/object_store.h"
#include "operator/run/order_of.h"
#include "operator/sidecars/sidecar_book.h"

namespace baton::reconcile {

/// What is known about a cluster, gathered from informers and the book.
struct Gathered {
  std::vector<kube::ObjectPtr> pods;                   ///< By ordinal; null where there is no pod.
  std::vector<std::optional<Instant>> expected_since;  ///< By ordinal: since when its stream has been asked for.
  std::vector<std::string> refusals;                   ///< By ordinal: SidecarBook::refusal.
  kube::ObjectPtr primary_service;                     ///< Null if there is none.
  std::vector<SidecarBook::Entry> entries;
  std::set<PodUid> ended_pods;
  int volumes = 0;  ///< engine::ObservedCluster::volumes
};

/// Puts together what decisions look at. A member's report is the newest line of its present pod, or of an earlier one
/// of that name as long as the present one was not heard; every other incarnation that ever held data is among the
/// departed, so that each incarnation appears once. Pure.
[[nodiscard]] engine::ObservedCluster observe(const api::Cluster& cluster, const Gathered& gathered, Instant now);

/// The sidecars to listen to: those of pods that have an address.
[[nodiscard]] std::vector<SidecarAddress> sidecars_of(const ClusterKey& key, const Gathered& gathered);

/// The members as steps address them.
[[nodiscard]] std::vector<PlanMember> plan_members(const ClusterKey& key, const engine::ObservedCluster& observed);

/// What the engine wants to know of the spec.
[[nodiscard]] engine::Spec spec_of(const api::Cluster& cluster);

}  // namespace baton::reconcile
