#include "operator/reconcile/observe.h"

#include <algorithm>
#include <utility>

#include "operator/api/names.h"
#include "operator/reconcile/endpoint.h"
#include "operator/reconcile/pod_facts.h"

namespace baton::reconcile {
namespace {

using api::Json;

/// The line that speaks for a member: of its present pod if it has spoken, else the newest one under its name. Null if
/// there is no pod, because then nothing present carries the incarnation.
const SidecarBook::Entry* line_for(const engine::ObservedMember& member,
                                   const std::vector<SidecarBook::Entry>& entries) {
  if (member.pod_uid.get().empty()) return nullptr;
  const SidecarBook::Entry* best = nullptr;
  const auto of_pod = [&](const SidecarBook::Entry& entry) { return entry.line->report.pod_uid == member.pod_uid; };
  for (const SidecarBook::Entry& entry : entries) {
    if (entry.pod != member.pod) continue;
    const bool better =
        best == nullptr || std::pair(of_pod(entry), entry.heard_at) > std::pair(of_pod(*best), best->heard_at);
    if (better) best = &entry;
  }
  return best;
}

engine::ObservedMember member_of(const api::Names& names, Ordinal ordinal, const Gathered& gathered, Instant now) {
  engine::ObservedMember member{.ordinal = ordinal, .pod = names.pod(ordinal)};
  const auto index = static_cast<std::size_t>(ordinal.get());
  if (index < gathered.pods.size() && gathered.pods[index] != nullptr) {
    const Json& pod = *gathered.pods[index];
    member.pod_uid = PodUid(kube::metadata_text(pod, "uid"));
    member.address = kube::text_at(pod, {"status", "podIP"});
    member.pod_trouble = pod_trouble(pod);
    member.role_label = kube::text_at(pod, {"metadata", "labels", api::kRoleLabel});
  }
  if (index < gathered.refusals.size()) member.refusal = gathered.refusals[index];
  if (index < gathered.expected_since.size()) member.not_acking_since = gathered.expected_since[index];
  const SidecarBook::Entry* entry = line_for(member, gathered.entries);
  if (entry == nullptr) return member;
  member.report = entry->line->report;
  member.heard = entry->line->report.pod_uid == member.pod_uid && now - entry->heard_at <= SidecarBook::kSilence;
  member.down_since = entry->down_since;
  member.not_acking_since = entry->not_acking_since;
  member.idle_since = entry->idle_since;
  member.unmoved_since = entry->unmoved_since;
  member.waiting_since = entry->waiting_since;
  member.turned_since = entry->turned_since;
  return member;
}

}  // namespace

engine::ObservedCluster observe(const api::Cluster& cluster, const Gathered& gathered, Instant now) {
  const api::Names names = cluster.names();
  int count = cluster.spec.replicas;
  for (std::size_t i = 0; i < gathered.pods.size(); ++i) {
    if (gathered.pods[i] != nullptr) count = std::max(count, static_cast<int>(i) + 1);
  }
  for (const SidecarBook::Entry& entry : gathered.entries) {
    if (const auto ordinal = names.ordinal_of(entry.pod)) count = std::max(count, ordinal->get() + 1);
  }
  engine::ObservedCluster observed;
  for (int i = 0; i < count; ++i) observed.members.push_back(member_of(names, Ordinal(i), gathered, now));

  for (const SidecarBook::Entry& entry : gathered.entries) {
    const engine::Report& report = entry.line->report;
    const bool present = std::ranges::any_of(
        observed.members, [&](const engine::ObservedMember& m) { return m.report && m.report->uuid == report.uuid; });
    // A directory that never held anything proves nothing.
    const bool held_data = !report.uuid.get().empty() && report.directory != engine::Directory::kEmpty;
    if (!present && held_data) observed.departed.push_back(report);
  }
  observed.ended_pods = gathered.ended_pods;
  observed.volumes = gathered.volumes;
  if (const auto word = cluster.annotations.find(std::string(api::kForceFailoverAnnotation));
      word != cluster.annotations.end()) {
    observed.forced = names.ordinal_of(word->second);
  }
  if (gathered.primary_service != nullptr) {
    Endpoint endpoint = endpoint_of(*gathered.primary_service);
    observed.endpoint_pod = std::move(endpoint.pod);
    observed.endpoint_epoch = endpoint.epoch;
  }
  return observed;
}

std::vector<SidecarAddress> sidecars_of(const ClusterKey& key, const Gathered& gathered) {
  std::vector<SidecarAddress> result;
  for (std::size_t i = 0; i < gathered.pods.size(); ++i) {
    if (gathered.pods[i] == nullptr) continue;
    const Json& pod = *gathered.pods[i];
    const std::string address = kube::text_at(pod, {"status", "podIP"});
    if (address.empty()) continue;
    result.push_back({.cluster = key,
                      .ordinal = Ordinal(static_cast<int>(i)),
                      .pod = kube::metadata_text(pod, "name"),
                      .pod_uid = PodUid(kube::metadata_text(pod, "uid")),
                      .address = address});
  }
  return result;
}

std::vector<PlanMember> plan_members(const ClusterKey& key, const engine::ObservedCluster& observed) {
  std::vector<PlanMember> result;
  for (const engine::ObservedMember& member : observed.members) {
    result.push_back({.at = {.cluster = key,
                             .ordinal = member.ordinal,
                             .pod = member.pod,
                             .pod_uid = member.pod_uid,
                             .address = member.address},
                      .uuid = member.report ? member.report->uuid : ServerUuid()});
  }
  return result;
}

engine::Spec spec_of(const api::Cluster& cluster) {
  engine::Spec spec{.name = cluster.name,
                    .replicas = cluster.spec.replicas,
                    .acks = cluster.spec.acks,
                    .degrade = cluster.spec.degrade,
                    .failover_enabled = cluster.spec.failover_enabled,
                    .crash_grace = cluster.spec.crash_grace,
                    .apply_tail = cluster.spec.salvage_tail == api::SalvageTail::kApply,
                    .salvage_stall = cluster.spec.salvage_stall,
                    .candidates = {}};
  const api::Names names = cluster.names();
  for (const api::Candidate& candidate : cluster.spec.candidates) {
    const auto ordinal = names.ordinal_of(candidate.pod);
    if (!ordinal) continue;
    spec.candidates.push_back(
        {.member = *ordinal, .priority = candidate.priority, .never_promote = candidate.never_promote});
  }
  return spec;
}

}  // namespace baton::reconcile
