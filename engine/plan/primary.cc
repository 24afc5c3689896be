#include <algorithm>
#include <format>

#include "engine/decide/durability.h"
#include "engine/plan/plans.h"

namespace baton::engine {
namespace {

/// Transactions of the history that some member holds and the returned primary does not; empty if its log covers all.
/// What waits for acks there is in its log.
GtidSet uncovered(const View& view, const ObservedMember& primary) {
  GtidSet known = view.recorded.required();
  for (const ObservedMember* member : view.replicas()) {
    if (const Server* server = server_of(*member)) known = known.united(view.legitimate(holdings(*server)));
  }
  return known.minus(logged(*server_of(primary)));
}

/// It was open in the recorded epoch, ended, and is back; or a failover began and nothing irrevocable was done.
void reopen(const View& view, const ObservedMember& primary, Decision& decision) {
  if (const GtidSet missing = uncovered(view, primary); !missing.empty()) {
    set_state(decision, ClusterState::kFailoverHeld,
              std::format("{} is back, but lacks {} transactions that may have been acknowledged: {}", primary.pod,
                          missing.size(), missing.to_string()));
    decision.findings.push_back({"FloorMissing", primary.ordinal, decision.message});
    return;
  }
  set_state(decision, ClusterState::kReopening, std::format("{} is back and its log covers everything", primary.pod));
  Recorded next = view.recorded;
  next.epoch = Epoch{next.epoch.get() + 1};
  next.failover.reset();
  if (!why_own_log_needed(view).empty()) {
    // It is back with its log, so that what only that one was known to hold is known now.
    next.floor = logged(*server_of(primary));
    next.mandatory_log.clear();
  }
  propose(decision, std::move(next),
          std::format("{} is reopened in place: its log covers the floor and all that is heard", primary.pod));
}

/// The recorded ackers that answer and keep what they acknowledge.
std::vector<const ObservedMember*> answering_ackers(const View& view) {
  std::vector<const ObservedMember*> result;
  for (const Identity& identity : view.recorded.ackers) {
    const ObservedMember* member = view.member(identity.ordinal);
    const bool answers = member != nullptr && server_of(*member) != nullptr;
    if (answers && identity_of(*member) == identity && !member->report->relaxed) result.push_back(member);
  }
  return result;
}

/// How many recorded ackers hold all that the primary has.
int complete_ackers(const View& view, const ObservedMember& primary) {
  return static_cast<int>(std::ranges::count_if(answering_ackers(view), [&](const ObservedMember* acker) {
    return holdings(*server_of(*acker)).contains(server_of(primary)->executed);
  }));
}

/// What the opening waits for is asked of those who know it, so that it is not held up by the pace of their reports.
void wait_for_acks(const View& view, const ObservedMember& primary, Decision& decision) {
  const Server& server = *server_of(primary);
  const int acks = view.recorded.ack_count;
  if (acks == 0 || real_ack_count(server) != acks) return;
  if (server.semi_sync.clients < acks) return add_order(decision, WaitAckers{primary.ordinal, acks});
  if (complete_ackers(view, primary) >= acks) return;
  for (const ObservedMember* acker : answering_ackers(view)) {
    const Server& theirs = *server_of(*acker);
    const bool receives = follows(theirs, primary) && theirs.channel.receiver == Thread::kRunning;
    if (receives && !holdings(theirs).contains(server.executed)) {
      add_order(decision, WaitReceived{acker->ordinal, server.executed});
    }
  }
}

/// Why the primary may not be opened yet; empty if it may.
std::string not_yet(const View& view, const ObservedMember& primary) {
  const Server& server = *server_of(primary);
  const int acks = view.recorded.ack_count;
  if (primary.report->relaxed) return "its durability is not restored yet";
  if (const GtidSet missing = view.recorded.required().minus(server.executed); !missing.empty()) {
    return std::format("it has {} transactions to apply", missing.size());
  }
  if (acks == 0) {
    // An acker was there once, and the spec wants commits to go on without.
    const bool degraded = view.spec.degrade && view.recorded.ever_ready;
    const bool alone = view.spec.replicas == 1 || primary.report->opened_epoch > Epoch{0} || degraded;
    return alone ? "" : "the first acker is not there yet";
  }
  if (real_ack_count(server) != acks) return "its ack count is not set yet";
  if (server.semi_sync.clients < acks)
    return std::format("{} of {} ackers are connected", server.semi_sync.clients, acks);
  // It may hold a tail that nobody else has: that must not be read before it would survive.
  if (complete_ackers(view, primary) < acks) return "its ackers have not received all it holds yet";
  return {};
}

void open(const View& view, const ObservedMember& primary, Decision& decision) {
  const std::string why_not = not_yet(view, primary);
  const bool first = view.recorded.epoch <= Epoch{1} && primary.report->opened_epoch == Epoch{0};
  set_state(decision, first ? ClusterState::kBootstrapping : ClusterState::kOpening,
            why_not.empty() ? std::format("opening {}", primary.pod)
                            : std::format("{} is not open yet: {}", primary.pod, why_not));
  if (why_not.empty()) return add_order(decision, Open{primary.ordinal, view.recorded.required()});
  wait_for_acks(view, primary, decision);
}

/// The application's account, and an end to offers and clone permissions that nobody needs. The least urgent orders.
void housekeeping(const View& view, const ObservedMember& primary, Decision& decision) {
  const Server& server = *server_of(primary);
  if (!server.app_account) add_order(decision, EnsureApplicationAccount{primary.ordinal});
  const bool cloning = std::ranges::any_of(view.replicas(), [&](const ObservedMember* member) {
    return member->heard && member->ordinal.get() < view.spec.replicas &&
           member->report->directory == Directory::kEmpty;
  });
  if (cloning) return;
  for (const ObservedMember& member : view.observed.members) {
    const bool offers = member.heard && !member.report->offered_to.get().empty();
    // Until it is open, its receiver is connected there, and would dial again and wait for an offer; Open waits for it.
    if (offers && !server.read_only) add_order(decision, OfferLogs{member.ordinal, ServerUuid{}, GtidSet{}});
    const Server* donor = server_of(member);
    if (donor != nullptr && donor->clone_unlocked) add_order(decision, AllowClone{member.ordinal, false});
  }
}

/// Whether commits wait though enough ackers are connected, and nothing has moved for a while: one that reconnects does
/// not acknowledge anew what it received before, so a commit whose ack was lost waits until another is acknowledged.
bool acks_were_lost(const View& view, const ObservedMember& primary, Decision& decision) {
  const int acks = view.recorded.ack_count;
  if (acks == 0 || !primary.waiting_since || !primary.idle_since) return false;
  Instant since = std::max(*primary.waiting_since, *primary.idle_since);
  // One that receives a long transaction acknowledges when it has all of it.
  for (const ObservedMember* member : view.replicas()) since = std::max(since, member->idle_since.value_or(since));
  const Instant due = since + kPatience;
  if (view.now >= due) return true;
  decision.look_again = std::min(decision.look_again.value_or(due), due);
  return false;
}

void state_when_open(const View& view, const ObservedMember& primary, Decision& decision) {
  const Server& server = *server_of(primary);
  const int acks = view.recorded.ack_count;
  if (acks > 0 && server.semi_sync.clients < acks) {
    set_state(
        decision, ClusterState::kWaitingForAcks,
        std::format("commits on {} wait: {} of {} ackers are connected", primary.pod, server.semi_sync.clients, acks));
    decision.findings.push_back({"WaitingForAcks", primary.ordinal, decision.message});
    return;
  }
  if (acks_were_lost(view, primary, decision)) {
    set_state(decision, ClusterState::kWaitingForAcks,
              std::format("{} commits on {} wait although enough ackers are connected: their acks were lost with a "
                          "connection, or ackers do not answer; a heartbeat is written, whose ack frees them",
                          server.semi_sync.waiting_sessions, primary.pod));
    decision.findings.push_back({"WaitingForAcks", primary.ordinal, decision.message});
    return add_order(decision, WriteHeartbeat{primary.ordinal});
  }
  const bool whole = decision.findings.empty();
  set_state(
      decision, whole ? ClusterState::kHealthy : ClusterState::kDegraded,
      whole ? std::format("{} is open and all members replicate", primary.pod) : decision.findings.front().sentence);
}

void label_roles(const View& view, const ObservedMember& primary, Decision& decision) {
  for (const ObservedMember& member : view.observed.members) {
    if (member.pod_uid.get().empty()) continue;
    const Server* server = server_of(member);
    std::string role;
    if (member.ordinal == primary.ordinal) {
      role = "primary";
    } else if (server != nullptr && follows(*server, primary) && server->channel.applier == Thread::kRunning) {
      role = "replica";
    }
    if (role != member.role_label) decision.steps.emplace_back(LabelRole{member.ordinal, role});
  }
}

}  // namespace

void plan_primary(const View& view, const PrimarySight& sight, Decision& decision) {
  const ObservedMember& primary = *sight.member;
  const Server& server = *server_of(primary);
  const bool opened_now = primary.report->opened_epoch == view.recorded.epoch;
  const bool undecided = view.recorded.failover && view.recorded.failover->phase == FailoverPhase::kRevoking;
  // While Open is being carried out, the epoch is on disk already and the server is not open yet: that is no restart.
  const bool restarted = server.read_only && opened_now && primary.report->busy.empty();
  if (undecided || restarted) return reopen(view, primary, decision);
  if (primary.report->relaxed) add_order(decision, SetDurability{.on = primary.ordinal, .relaxed = false});
  for (const std::string& drift : server.drift) {
    decision.findings.push_back({"GuaranteeVoid", primary.ordinal, std::format("{}: {}", primary.pod, drift)});
  }
  const bool closed = server.read_only || !opened_now;
  if (closed && not_yet(view, primary).empty()) {
    // Clients wait: whoever may still leave or join A does so afterwards.
    open(view, primary, decision);
    return plan_replicas(view, primary, decision);
  }
  plan_acks(view, primary, decision);
  plan_replicas(view, primary, decision);
  // What was planned for the old A and W is planned again on the new ones.
  if (decision.record) decision.steps.clear();
  if (closed) {
    open(view, primary, decision);
    return housekeeping(view, primary, decision);
  }
  housekeeping(view, primary, decision);
  state_when_open(view, primary, decision);
  if (view.observed.endpoint_pod != primary.pod || view.observed.endpoint_epoch != view.recorded.epoch) {
    decision.steps.emplace_back(Repoint{primary.ordinal});
    if (decision.state == ClusterState::kWaitingForAcks) return;
    return set_state(decision, ClusterState::kOpening,
                     std::format("{} is open, and the endpoint has yet to be moved to it", primary.pod));
  }
  if (view.recorded.failover) {
    Recorded next = view.recorded;
    next.failover.reset();
    propose(decision, std::move(next),
            std::format("failover to {} is done: it is open and the endpoint selects it", primary.pod));
  }
  label_roles(view, primary, decision);
}

}  // namespace baton::engine
