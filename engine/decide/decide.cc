#include "engine/decide/decide.h"

#include <algorithm>
#include <format>
#include <utility>

#include "engine/decide/elect.h"
#include "engine/model/view.h"
#include "engine/plan/plans.h"

namespace baton::engine {
namespace {

/// Members that still matter to the proof are not scaled away: ackers, and the primary.
int members_wanted(const View& view) {
  int wanted = view.spec.replicas;
  // Kept volumes hold a history of which nothing is known yet: whoever has one is to be heard.
  if (!view.recorded.current_primary) wanted = std::max(wanted, view.observed.volumes);
  for (const Identity& acker : view.recorded.ackers) wanted = std::max(wanted, acker.ordinal.get() + 1);
  if (view.recorded.current_primary) wanted = std::max(wanted, view.recorded.current_primary->ordinal.get() + 1);
  return wanted;
}

/// A sidecar has obeyed a record that this one is older than: it was restored from a copy.
std::string record_is_older(const View& view) {
  const auto known = std::pair(view.recorded.epoch, view.recorded.revision);
  for (const ObservedMember& member : view.observed.members) {
    if (!member.report || std::pair(member.report->held_epoch, member.report->held_revision) <= known) continue;
    return std::format(
        "{} has obeyed epoch {} revision {}, but the record says {}.{}: it was restored from an older copy, and what "
        "changed since is not known",
        member.pod, member.report->held_epoch, member.report->held_revision, view.recorded.epoch,
        view.recorded.revision);
  }
  return {};
}

MemberView view_of(const View& view, const ObservedMember& member, const Decision& decision) {
  MemberView result{.ordinal = member.ordinal, .role = "None", .reachability = "Unknown", .errant = {}, .message = {}};
  const bool is_primary =
      view.recorded.current_primary && member.report && member.report->uuid == view.recorded.current_primary->uuid;
  const Server* server = server_of(member);
  if (is_primary) {
    result.role = "Primary";
    result.reachability = name_of(view.primary().reachability);
  } else {
    if (server != nullptr && !server->channel.source_host.empty()) result.role = "Replica";
    if (server != nullptr) result.reachability = "Up";
    if (member.heard && member.report->process == Process::kNotRunning) result.reachability = "DownProven";
    if (member.heard && member.report->process == Process::kStarting) result.reachability = "Starting";
  }
  if (!is_primary && server != nullptr && view.recorded.current_primary) {
    const GtidSet held = holdings(*server);
    const ObservedMember* primary = view.member(view.recorded.current_primary->uuid);
    const Server* source = primary != nullptr ? server_of(*primary) : nullptr;
    result.errant = source != nullptr ? errant_against(*server, *source, view.recorded.current_primary->uuid)
                                      : held.minus(view.legitimate(held));
  }
  const auto finding = std::ranges::find(decision.findings, std::optional(member.ordinal), &Finding::member);
  if (finding != decision.findings.end()) result.message = finding->sentence;
  return result;
}

void plan(const View& view, Decision& decision) {
  if (!view.recorded.current_primary) return plan_bootstrap(view, decision);
  const PrimarySight sight = view.primary();
  if (const std::string why = record_is_older(view); !why.empty()) {
    set_state(decision, ClusterState::kAmbiguous, why);
    return decision.findings.push_back({"RecordIsOlder", std::nullopt, why});
  }
  if (view.recorded.failover && view.recorded.failover->phase == FailoverPhase::kRevoking)
    return plan_failover(view, sight, decision);
  switch (sight.reachability) {
    case Reachability::kUp: return plan_primary(view, sight, decision);
    case Reachability::kDownProven: return plan_lost_primary(view, sight, decision);
    case Reachability::kStarting: return plan_starting_primary(view, sight, decision);
    case Reachability::kUnknown:
      if (view.forced()) return plan_lost_primary(view, sight, decision);
      set_state(decision, ClusterState::kPrimaryUnknown, sight.evidence);
      return decision.findings.push_back({"PrimaryUnknown", view.recorded.current_primary->ordinal, sight.evidence});
  }
}

/// Before it matters. Of a dead one the proof tells whether it hides anything.
void tell_unreadable_logs(const View& view, Decision& decision) {
  for (const ObservedMember& member : view.observed.members) {
    if (server_of(member) == nullptr || member.report->unreadable_log.empty()) continue;
    decision.findings.push_back(
        {"GuaranteeVoid", member.ordinal, std::format("{}: {}", member.pod, member.report->unreadable_log)});
  }
}

}  // namespace

std::string_view name_of(ClusterState state) {
  switch (state) {
    case ClusterState::kPending: return "Pending";
    case ClusterState::kBootstrapping: return "Bootstrapping";
    case ClusterState::kHealthy: return "Healthy";
    case ClusterState::kDegraded: return "Degraded";
    case ClusterState::kWaitingForAcks: return "WaitingForAcks";
    case ClusterState::kOpening: return "Opening";
    case ClusterState::kFailingOver: return "FailingOver";
    case ClusterState::kFailoverHeld: return "FailoverHeld";
    case ClusterState::kReopening: return "Reopening";
    case ClusterState::kPrimaryUnknown: return "PrimaryUnknown";
    case ClusterState::kAmbiguous: return "Ambiguous";
  }
  return "Pending";
}

Decision decide(const Spec& spec, const Recorded& recorded, const ObservedCluster& observed, Instant now) {
  const View view{spec, recorded, observed, now};
  Decision decision;
  decision.members_wanted = members_wanted(view);
  decision.readiness = readiness(view);
  plan(view, decision);
  tell_unreadable_logs(view, decision);
  // A record orders nothing beside it; and of volumes that may be of another history nothing is touched.
  if (!decision.record && decision.state != ClusterState::kAmbiguous) restore_durability(view, decision);
  // It was meant for a primary that is lost: the next one must not inherit it.
  decision.force_spent = observed.forced && (!view.forced() || view.primary().reachability == Reachability::kUp);
  for (const ObservedMember& member : observed.members) decision.members.push_back(view_of(view, member, decision));
  return decision;
}

}  // namespace baton::engine
