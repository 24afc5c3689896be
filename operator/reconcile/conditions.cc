#include "operator/reconcile/conditions.h"

#include <algorithm>
#include <format>
#include <utility>

namespace baton::reconcile {
namespace {

using engine::ClusterState;

Condition condition(std::string type, bool holds, std::string reason, std::string message) {
  return {.type = std::move(type),
          .status = holds ? "True" : "False",
          .reason = std::move(reason),
          .message = std::move(message)};
}

Condition ready(const Report& report) {
  if (!report.obstacles.empty()) {
    return condition("Ready", false, report.obstacles.front().code, report.obstacles.front().sentence);
  }
  const engine::Decision& decision = report.decision;
  return condition("Ready", decision.state == ClusterState::kHealthy, std::string(engine::name_of(decision.state)),
                   decision.message);
}

Condition primary_available(const engine::Decision& decision) {
  Condition result = condition("PrimaryAvailable", takes_writes(decision.state),
                               std::string(engine::name_of(decision.state)), decision.message);
  if (decision.state == ClusterState::kPrimaryUnknown) result.status = "Unknown";
  return result;
}

Condition semi_sync(const Report& report) {
  const auto& [cluster, recorded, decision, observed, timeline, obstacles, now, fresh] = report;
  const int wanted = std::min(cluster.spec.acks, cluster.spec.replicas - 1);
  if (wanted == 0) return condition("SemiSyncSatisfied", false, "SingleMember", "one member has nobody to wait for");
  if (decision.state == ClusterState::kWaitingForAcks) {
    return condition("SemiSyncSatisfied", false, "WaitingForAcks", decision.message);
  }
  if (recorded.ack_count < wanted) {
    return condition("SemiSyncSatisfied", false, recorded.ack_count == 0 ? "SemiSyncOff" : "FewerAcks",
                     std::format("commits wait for {} of the {} acks that are wanted", recorded.ack_count, wanted));
  }
  return condition("SemiSyncSatisfied", true, "AsWanted", std::format("commits wait for {} acks", recorded.ack_count));
}

/// A condition's message is for people; status.members has the whole set.
std::string shortened(std::string set) {
  constexpr std::size_t kLongest = 400;
  if (set.size() > kLongest) set = set.substr(0, kLongest) + "…";
  return set;
}

Condition errant_members(const Report& report) {
  std::string names;
  for (const engine::MemberView& member : report.decision.members) {
    if (member.errant.empty()) continue;
    names += std::format("{}{}: {}", names.empty() ? "" : ", ", report.cluster.names().pod(member.ordinal),
                         shortened(member.errant.to_string()));
  }
  if (names.empty()) return condition("ErrantMembers", false, "None", "no member holds errant transactions");
  return condition("ErrantMembers", true, "Errant",
                   std::format("set aside, with transactions that are not part of the history: {}", names));
}

/// Members that are there but do not replicate yet.
Condition rejoining(const Report& report) {
  std::string names;
  for (const engine::ObservedMember& member : report.observed.members) {
    if (!takes_writes(report.decision.state) || !member.heard || !member.report) continue;
    const bool primary =
        report.recorded.current_primary && member.report->uuid == report.recorded.current_primary->uuid;
    const auto& server = member.report->server;
    const bool replicates = server && server->channel.receiver == engine::Thread::kRunning &&
                            server->channel.applier == engine::Thread::kRunning;
    if (!primary && !replicates) names += (names.empty() ? "" : ", ") + member.pod;
  }
  if (names.empty()) return condition("Rejoining", false, "None", "no member is on its way back");
  return condition("Rejoining", true, "InProgress", std::format("{} do(es) not replicate yet", names));
}

/// A changed Secret reaches the operator at once and the members' mounts when the kubelet gets to it.
Condition secrets_rolling(const Report& report) {
  std::string names;
  std::string sentence;
  for (const engine::ObservedMember& member : report.observed.members) {
    if (member.refusal.empty()) continue;
    names += (names.empty() ? "" : ", ") + member.pod;
    sentence = member.refusal;
  }
  if (names.empty())
    return condition("SecretsRolling", false, "None", "members and operator have the same credentials");
  return condition(
      "SecretsRolling", true, "MountsBehind",
      std::format("{} and the operator do not take each other's credentials ({}): Secret {} was changed, and "
                  "mounts follow within about two minutes. Clients go on; until then no order is "
                  "taken there, and silence leads to no failover",
                  names, sentence, report.cluster.names().baton_secret()));
}

/// What the engine found, or drift that it does not look at in this state.
Condition guarantee(const Report& report) {
  for (const engine::ObservedMember& member : report.observed.members) {
    if (!member.heard || !member.report || !member.report->server || member.report->server->drift.empty()) continue;
    return condition("GuaranteeVoid", true, "SettingsDrifted",
                     std::format("{}: {}", member.pod, member.report->server->drift.front()));
  }
  const auto found = std::ranges::find(report.decision.findings, "GuaranteeVoid", &engine::Finding::code);
  if (found != report.decision.findings.end()) {
    return condition("GuaranteeVoid", true, "NotAsOrdered", found->sentence);
  }
  return condition("GuaranteeVoid", false, "None", "settings, acks and connected replicas are as they must be");
}

}  // namespace

bool takes_writes(ClusterState state) {
  return state == ClusterState::kHealthy || state == ClusterState::kDegraded || state == ClusterState::kWaitingForAcks;
}

std::vector<Condition> conditions_of(const Report& report) {
  const engine::Readiness& readiness = report.decision.readiness;
  return {ready(report),
          primary_available(report.decision),
          condition("FailoverReady", readiness.ready, readiness.ready ? "Survivable" : readiness.reason,
                    readiness.sentence),
          semi_sync(report),
          errant_members(report),
          rejoining(report),
          secrets_rolling(report),
          guarantee(report)};
}

}  // namespace baton::reconcile
