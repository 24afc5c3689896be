#include <algorithm>
#include <chrono>
#include <format>
#include <optional>

#include "engine/decide/dispensable.h"
#include "engine/plan/plans.h"

namespace baton::engine {
namespace {

/// How long a proven failover waits for an acker whose receiver is just being stopped: what that one got beyond the
/// others would make it errant.
constexpr Duration kStragglerPatience{1000};

/// How long a receiver may take to stop. It takes two seconds while it dials a host that is silent.
constexpr Duration kStopPatience{6000};

/// From so many transactions on it is worth two orders to apply them with relaxed durability. Eight appliers commit
/// them in some 125 groups, each of which would be synced two or three times: a second on a good disk.
constexpr std::uint64_t kWorthRelaxing = 1000;

/// Whether an acker's sidecar was never heard by this process and may speak up yet: a refusal now would be hasty.
bool acker_still_expected(const View& view) {
  return std::ranges::any_of(view.recorded.ackers, [&](const Identity& identity) {
    const ObservedMember* member = view.member(identity.ordinal);
    return member != nullptr && view.still_expected(*member);
  });
}

/// How mysqld ended is told by the gate when the kernel is done with it, which may be a moment after its end was seen.
bool end_may_be_told_yet(const View& view, const PrimarySight& sight) {
  return sight.report != nullptr && sight.report->open_end == OpenEnd::kUntold && sight.member != nullptr &&
         sight.member->heard && sight.member->down_since && view.now < *sight.member->down_since + kStragglerPatience;
}

/// Lets the old primary start, read-only: its own log covers everything when nothing else provably does.
void let_return(const View& view, const PrimarySight& sight, const std::string& why_not, const std::string& code,
                Decision& decision) {
  const Ordinal ordinal = view.recorded.current_primary->ordinal;
  if (acker_still_expected(view)) {
    decision.look_again = view.now + kPatience;
    return set_state(decision, ClusterState::kFailingOver,
                     std::format("{}; ackers are yet to be heard: {}", sight.evidence, why_not));
  }
  if (end_may_be_told_yet(view, sight)) {
    decision.look_again = *sight.member->down_since + kStragglerPatience;
    return set_state(decision, ClusterState::kFailingOver, std::format("{}; {}", sight.evidence, why_not));
  }
  decision.findings.push_back({code, ordinal, why_not});
  if (sight.member != nullptr && sight.member->heard) {
    set_state(decision, ClusterState::kReopening,
              std::format("{} comes back in place, because {}", view.pod(ordinal), why_not));
    return add_order(decision, Permit{ordinal});
  }
  set_state(decision, ClusterState::kFailoverHeld,
            std::format("{} is lost and its sidecar is not heard; failover is held: {}", view.pod(ordinal), why_not));
  // An acker whose mysqld does not get up has logs all the same; they are read once it does not try any more.
  for (const Identity& identity : view.recorded.ackers) {
    const ObservedMember* member = view.member(identity.uuid);
    const bool fails = member != nullptr && member->heard && !member->report->start_error.empty();
    if (fails && !member->report->held) add_order(decision, Fence{member->ordinal});
  }
}

/// The dead primary's sidecar is still reading its log: a refusal now would be hasty.
bool log_is_being_read(const PrimarySight& sight) {
  return sight.reachability == Reachability::kDownProven && sight.member != nullptr && sight.member->heard &&
         !sight.report->dead_log && sight.report->dead_log_error.empty();
}

/// The dead primary's whole log, if its sidecar holds its start at this epoch and has read it to the end.
const GtidSet* usable_dead_log(const View& view, const PrimarySight& sight) {
  if (sight.reachability != Reachability::kDownProven || sight.member == nullptr || !sight.member->heard)
    return nullptr;
  if (sight.report->held_epoch < view.recorded.epoch || !sight.report->dead_log) return nullptr;
  return &*sight.report->dead_log;
}

/// The dead primary's log is being read, or its sidecar is about to answer the fence: what only that log holds is worth
/// a moment's wait.
bool tail_is_worth_waiting_for(const View& view, const PrimarySight& sight) {
  const bool to_come = log_is_being_read(sight) ||
                       (sight.reachability == Reachability::kDownProven && sight.member != nullptr &&
                        sight.member->heard && sight.report->dead_log && usable_dead_log(view, sight) == nullptr);
  return view.spec.apply_tail && to_come && sight.member->down_since &&
         view.now < *sight.member->down_since + kStragglerPatience;
}

/// Whether the start of the old primary is given up: it fails, or takes longer than its grace, and another can take
/// over.
bool start_is_given_up(const View& view, const PrimarySight& sight) {
  const Report& report = *sight.report;
  const bool overdue = view.spec.crash_grace > Duration::zero() && sight.member->down_since &&
                       view.now >= *sight.member->down_since + view.spec.crash_grace;
  if (!view.spec.failover_enabled || (report.start_error.empty() && !overdue)) return false;
  return assess(view, Revocation::kAssumed, report.dead_log ? &*report.dead_log : nullptr).possible();
}

/// It starts, or tries to; nobody else can take over.
void wait_for_start(const View& view, const PrimarySight& sight, Decision& decision) {
  decision.findings.push_back({"PrimaryStarting", view.recorded.current_primary->ordinal, sight.evidence});
  if (sight.report->start_error.empty()) return set_state(decision, ClusterState::kReopening, sight.evidence);
  const std::string why_not = view.spec.failover_enabled ? assess(view, Revocation::kAssumed, nullptr).sentence
                                                         : std::string("spec.failover.enabled is false");
  set_state(decision, ClusterState::kFailoverHeld, std::format("{}; failover is held: {}", sight.evidence, why_not));
}

/// Members that will be the new primary's ackers: heard, answering, part of the history, wanted.
std::vector<const ObservedMember*> attachable(const View& view, const ObservedMember& candidate) {
  std::vector<const ObservedMember*> result;
  for (const ObservedMember* member : view.replicas()) {
    if (member->ordinal == candidate.ordinal || member->ordinal.get() >= view.spec.replicas) continue;
    const Server* server = server_of(*member);
    if (server == nullptr || member->report->terminating || !revoked(view, *member)) continue;
    const GtidSet held = holdings(*server);
    if (!held.minus(view.legitimate(held)).empty() || !server->channel.applier_error.empty()) continue;
    result.push_back(member);
  }
  return result;
}

bool has_account(const Server& server, const ServerUuid& uuid) {
  return std::ranges::any_of(server.replication_accounts,
                             [&](const ReplicationAccount& a) { return a.uuid == uuid && !a.locked; });
}

/// Points the others at the candidate, with acks. Nothing can be acknowledged by it before it opens, so this may come
/// before the choice is recorded; the record then names all that can have been told. Acks are switched on when all is
/// applied: an applier's commits would wait for them too.
void attach(const ObservedMember& candidate, const std::vector<const ObservedMember*>& others, bool applied,
            Decision& decision) {
  const Server& server = *server_of(candidate);
  if (applied && real_ack_count(server) != 1) add_order(decision, SetAckCount{candidate.ordinal, 1});
  for (const ObservedMember* other : others) {
    if (other->report->relaxed) {
      // A candidate of before. Its acks would promise what its disk does not hold.
      add_order(decision, SetDurability{.on = other->ordinal, .relaxed = false});
      continue;
    }
    if (real_ack_count(*server_of(*other)) > 0) {
      add_order(decision, SetAckCount{other->ordinal, 0});
      continue;
    }
    if (!has_account(server, other->report->uuid)) {
      add_order(decision, EnsureReplicationAccount{candidate.ordinal, other->report->uuid});
    } else if (const Server* theirs = server_of(*other); !follows(*theirs, candidate) ||
                                                         theirs->channel.receiver == Thread::kStopped ||
                                                         !theirs->semi_sync.replica_enabled) {
      add_order(decision, Follow{other->ordinal, candidate.ordinal, true});
    }
  }
}

/// A of the new primary: all that may ever have been told to follow it with acks. Not only those that are attached now:
/// one that got its order and is not heard since would acknowledge without being counted. Who does not ack leaves A
/// soon after.
std::vector<Identity> possible_ackers(const View& view, const ObservedMember& candidate) {
  const ServerUuid& old = view.recorded.failover->old_primary.uuid;
  std::vector<Identity> result;
  const auto add = [&](const Identity& identity) {
    const bool excluded =
        identity.uuid.get().empty() || identity.uuid == old || identity.uuid == candidate.report->uuid;
    if (!excluded && std::ranges::find(result, identity) == result.end()) result.push_back(identity);
  };
  for (const ObservedMember* member : view.replicas()) {
    if (member->report && member->report->directory != Directory::kEmpty) add(identity_of(*member));
  }
  for (const Identity& identity : view.recorded.ackers) {
    const ObservedMember* member = view.member(identity.uuid);
    std::string why;
    if (member == nullptr || !member->heard || !stands_for(view, *member, identity, why)) add(identity);
  }
  return result;
}

/// The choice: one compare-and-set. Acks were off or of this set, one ack is really waited for, and the floor is the
/// target.
void commit(const View& view, const ObservedMember& candidate, const Assessment& assessment, Decision& decision) {
  Recorded next = view.recorded;
  const PrimaryRef old = view.recorded.failover->old_primary;
  next.epochs.push_back({.epoch = Epoch{view.recorded.epoch.get() - 1},
                         .uuid = old.uuid,
                         .final_set = assessment.target.of_uuid(old.uuid.get()),
                         .given_up = assessment.given_up});
  next.current_primary = PrimaryRef{candidate.ordinal, candidate.report->uuid};
  next.ackers = possible_ackers(view, candidate);
  next.ack_count = 1;
  next.floor = assessment.target;
  next.watermark = assessment.target;
  next.mandatory_log.clear();
  next.failover->phase = FailoverPhase::kOpening;
  next.failover->given_up = assessment.given_up;
  std::string why = std::format("{} is the new primary: {}", candidate.pod, assessment.sentence);
  if (!assessment.given_up.empty()) {
    why += std::format("; given up by a person's word: {} transactions that may have been acknowledged: {}",
                       assessment.given_up.size(), assessment.given_up.to_string());
  }
  propose(decision, std::move(next), std::move(why));
}

/// The candidate fetches what it lacks of the target from the logs of others, dead or alive. Both orders go out at
/// once: the binlog server lets a receiver wait for its offer.
void fetch(const View& view, const ObservedMember& candidate, const GtidSet& target, const GtidSet* dead_log,
           Decision& decision) {
  const Server& server = *server_of(candidate);
  const GtidSet missing = target.minus(holdings(server));
  const ObservedMember* source = source_of(view, candidate, missing, dead_log);
  if (source == nullptr) return;  // It was elected since there is one; the next observation elects again.
  const std::string error = fetches_from(server, *source) && !server.channel.receiver_error.empty()
                                ? std::format(" ({})", server.channel.receiver_error)
                                : "";
  decision.message = std::format("{} fetches {} transactions from the logs of {}{}", candidate.pod, missing.size(),
                                 source->pod, error);
  const Report& report = *source->report;
  if (report.offered_to != candidate.report->uuid || !report.offered.contains(target)) {
    add_order(decision, OfferLogs{source->ordinal, candidate.report->uuid, target});
  }
  if (real_ack_count(server) > 0) return add_order(decision, SetAckCount{candidate.ordinal, 0});
  if (!fetches_from(server, *source) || server.channel.receiver == Thread::kStopped) {
    add_order(decision, Fetch{candidate.ordinal, source->ordinal});
  }
}

/// Since when it neither receives nor applies. Not before it acked for the last time: in a quiet cluster there was
/// nothing to do, and who acks to another that gave way has yet to begin.
std::optional<Instant> still_since(const ObservedMember& member) {
  if (!member.idle_since || !member.not_acking_since) return std::nullopt;
  return std::max(*member.idle_since, *member.not_acking_since);
}

bool stalled(const View& view, const ObservedMember& member) {
  const auto since = still_since(member);
  return since && view.now >= *since + view.spec.salvage_stall;
}

void tell_stall(const View& view, const ObservedMember& candidate, const GtidSet& target, Decision& decision) {
  const auto since = still_since(candidate);
  if (!stalled(view, candidate)) {
    if (since) decision.look_again = *since + view.spec.salvage_stall;
    return;
  }
  const Server& server = *server_of(candidate);
  decision.findings.push_back(
      {"SalvageStalled", candidate.ordinal,
       std::format("{} has made no progress for {} s: {} transactions to fetch, {} to apply", candidate.pod,
                   std::chrono::duration_cast<std::chrono::seconds>(view.now - *since).count(),
                   target.minus(holdings(server)).size(), target.minus(server.executed).size())});
}

/// Why none of the others is connected to the candidate, once each was pointed to it for long enough, or could not be
/// pointed to it while the candidate has long had nothing left to do; empty before that.
std::string why_unconnected(const View& view, const ObservedMember& candidate,
                            const std::vector<const ObservedMember*>& others, Decision& decision) {
  std::string why;
  for (const ObservedMember* other : others) {
    // A receiver that was stopped points to the old primary still.
    const bool turned = follows(*server_of(*other), candidate) && other->turned_since;
    // Of a quiet cluster nobody has had anything to do for long; the failover began when acks ended.
    const Instant idle = std::max(candidate.idle_since.value_or(view.now), other->not_acking_since.value_or(view.now));
    const Instant due = turned ? *other->turned_since + kPatience : idle + view.spec.salvage_stall;
    if (view.now < due) {
      decision.look_again = due;
      return {};
    }
    const std::string& error = server_of(*other)->channel.receiver_error;
    const std::string_view silence = turned ? "no answer" : "does not follow it";
    why += std::format("{}{}: {}", why.empty() ? "" : "; ", other->pod, error.empty() ? silence : error);
  }
  return why;
}

/// Whether the choice waits for a first acker: until one is connected or, where commits may go on without, was given
/// its time.
bool waits_for_acker(const View& view, const ObservedMember& candidate,
                     const std::vector<const ObservedMember*>& others, Decision& decision) {
  if (others.empty() || server_of(candidate)->semi_sync.clients > 0) return false;
  const std::string why = why_unconnected(view, candidate, others, decision);
  if (!why.empty() && view.spec.degrade) return false;
  decision.message = std::format("{} is ready, but no acker is connected to it yet", candidate.pod);
  if (!why.empty()) {
    decision.message += std::format(" ({})", why);
    decision.findings.push_back({"WaitingForAcks", candidate.ordinal, decision.message});
  }
  add_order(decision, WaitAckers{candidate.ordinal, 1});
  return true;
}

/// Whether the candidate is to catch up with relaxed durability: it has far to go, sends no acks, and everybody could
/// do without it.
bool wants_relaxed(const View& view, const ObservedMember& candidate, const GtidSet& target, const GtidSet* dead_log) {
  const Server& server = *server_of(candidate);
  const std::uint64_t backlog = target.minus(server.executed).size();
  if (backlog == 0 || (backlog < kWorthRelaxing && !candidate.report->relaxed)) return false;
  const bool may_ack = server.semi_sync.replica_enabled && server.channel.receiver != Thread::kStopped;
  return !may_ack && dispensable(view, candidate, target, dead_log);
}

void converge(const View& view, const Assessment& assessment, const GtidSet* dead_log, Decision& decision) {
  const ObservedMember& candidate = *view.member(*assessment.winner);
  const Server& server = *server_of(candidate);
  const std::vector<const ObservedMember*> others = attachable(view, candidate);
  set_state(decision, ClusterState::kFailingOver, std::format("promoting {}: {}", candidate.pod, assessment.sentence));
  const bool applied = server.executed.contains(assessment.target);
  const bool relaxed = candidate.report->relaxed;
  const bool relax = wants_relaxed(view, candidate, assessment.target, dead_log);
  if (relaxed && !relax) add_order(decision, SetDurability{.on = candidate.ordinal, .relaxed = false});
  // Another was elected before, and gave way. Two that follow each other would both count as elected.
  const bool follows_another = server.channel.receiver != Thread::kStopped && !server.channel.from_logs;
  const bool holds_all = holdings(server).contains(assessment.target);
  if (follows_another && holds_all) add_order(decision, StopReceiver{candidate.ordinal});
  if (!applied) {
    fetch(view, candidate, assessment.target, dead_log, decision);
    tell_stall(view, candidate, assessment.target, decision);
  }
  if (relaxed) decision.message += relax ? "; meanwhile with relaxed durability" : "; its durability is being restored";
  // A mysqld that was started anew has strict settings.
  if (relax && !(relaxed && server.relaxed)) {
    add_order(decision, SetDurability{.on = candidate.ordinal, .relaxed = true});
  }
  attach(candidate, others, applied, decision);
  if (!applied && real_ack_count(server) > 0) return add_order(decision, SetAckCount{candidate.ordinal, 0});
  if (!applied) return add_order(decision, WaitApplied{candidate.ordinal, assessment.target});
  // Only one that keeps what it commits is chosen.
  if (relaxed || server.relaxed || real_ack_count(server) != 1) return;
  if (waits_for_acker(view, candidate, others, decision)) return;
  // Connected, and not among those that the record will name: it goes before the choice is made.
  const std::vector<Identity> ackers = possible_ackers(view, candidate);
  for (const DumpThread& thread : server.dump_threads) {
    const bool named = std::ranges::find(ackers, thread.uuid, &Identity::uuid) != ackers.end();
    if (!named) return add_order(decision, ExpelReplica{candidate.ordinal, thread.uuid});
  }
  commit(view, candidate, assessment, decision);
}

/// Whether ackers had long enough to stop their receivers, while their logs are what is missing.
bool stopping_is_overdue(const View& view, const PrimarySight& sight) {
  return sight.member != nullptr && sight.member->down_since && view.now >= *sight.member->down_since + kStopPatience &&
         !log_quorum(view, Revocation::kDone, usable_dead_log(view, sight)).proven();
}

/// A mysqld that hangs does not stop its receiver. One that was killed acknowledges nothing, and its logs count.
void fence_hung_ackers(const View& view, Decision& decision) {
  for (const Identity& identity : view.recorded.ackers) {
    const ObservedMember* member = view.member(identity.uuid);
    const bool hangs = member != nullptr && member->heard && member->report->process == Process::kRunning;
    if (hangs && !revoked(view, *member)) add_order(decision, Fence{member->ordinal});
  }
}

/// Every replica that answers stops receiving, a dead acker is kept dead so that its logs count, the old primary is
/// held at this epoch.
void revoke(const View& view, const PrimarySight& sight, Decision& decision) {
  if (stopping_is_overdue(view, sight)) fence_hung_ackers(view, decision);
  for (const Identity& identity : view.recorded.ackers) {
    const ObservedMember* member = view.member(identity.uuid);
    if (member == nullptr || !member->heard || server_of(*member) != nullptr || revoked(view, *member)) continue;
    const Report& report = *member->report;
    const bool dead = report.process == Process::kNotRunning && report.dead_log;
    // One that fails to start has logs all the same; they are read once it does not try any more.
    if (dead || !report.start_error.empty()) add_order(decision, Fence{member->ordinal});
  }
  for (const ObservedMember* member : view.replicas()) {
    if (server_of(*member) != nullptr && !revoked(view, *member)) add_order(decision, StopReceiver{member->ordinal});
  }
  const bool heard = sight.member != nullptr && sight.member->heard;
  if (heard && (sight.report->held_epoch < view.recorded.epoch || !sight.report->held))
    add_order(decision, Fence{sight.member->ordinal});
}

/// Who was kept dead so that its logs count may be the only one that can take over: it starts with its receiver
/// stopped.
void permit_candidates(const View& view, const Assessment& assessment, Decision& decision) {
  if (!assessment.quorum.proven() || assessment.code != "NoCandidate") return;
  for (const ObservedMember* member : view.replicas()) {
    const bool waits = member->heard && member->report->process == Process::kNotRunning && member->report->held &&
                       member->report->start_error.empty() && member->report->directory != Directory::kEmpty;
    if (waits) add_order(decision, Permit{member->ordinal});
  }
}

/// Until when a proven failover waits for ackers that answer and were told to stop a moment ago.
std::optional<Instant> straggler_deadline(const View& view, const PrimarySight& sight) {
  if (sight.member == nullptr || !sight.member->down_since) return std::nullopt;
  const Instant deadline = *sight.member->down_since + kStragglerPatience;
  const bool straggling = std::ranges::any_of(view.recorded.ackers, [&](const Identity& identity) {
    const ObservedMember* member = view.member(identity.uuid);
    return member != nullptr && server_of(*member) != nullptr && !revoked(view, *member);
  });
  return straggling && view.now < deadline ? std::optional(deadline) : std::nullopt;
}

/// All is saved that can be, unless the candidate makes no progress with what nobody was promised.
Assessment judge(const View& view, const GtidSet* dead_log) {
  Assessment all = assess(view, Revocation::kDone, dead_log);
  if (!all.possible()) return all;
  const ObservedMember& winner = *view.member(*all.winner);
  // One that has nothing left to do is idle, and makes no progress because there is none to make.
  if (server_of(winner)->executed.contains(all.target) || !stalled(view, winner)) return all;
  Assessment needed = assess(view, Revocation::kDone, dead_log, Salvage::kNeeded);
  const bool helps = needed.possible() && server_of(*view.member(*needed.winner))->executed.contains(needed.target);
  return helps ? needed : all;
}

/// What is known of its end, or that nothing is, must outlive its sidecar. True if it was written down now.
bool record_end(const View& view, const PrimarySight& sight, Decision& decision) {
  if (!view.recorded.mandatory_log.empty() || end_may_be_told_yet(view, sight)) return false;
  Recorded next = view.recorded;
  next.mandatory_log = why_own_log_needed(view);
  if (next.mandatory_log.empty()) return false;
  set_state(decision, ClusterState::kFailingOver, sight.evidence);
  const std::string why = std::format("the log of {} is mandatory: {}",
                                      view.pod(view.recorded.current_primary->ordinal), next.mandatory_log);
  propose(decision, std::move(next), why);
  return true;
}

}  // namespace

void plan_starting_primary(const View& view, const PrimarySight& sight, Decision& decision) {
  wait_for_start(view, sight, decision);
  if (!start_is_given_up(view, sight)) return;
  // It is as lost as a dead one, once its start is held.
  set_state(decision, ClusterState::kFailingOver, sight.evidence);
  add_order(decision, Fence{sight.member->ordinal});
}

void plan_lost_primary(const View& view, const PrimarySight& sight, Decision& decision) {
  if (record_end(view, sight, decision)) return;
  const PrimaryRef old = *view.recorded.current_primary;
  const bool heard = sight.member != nullptr && sight.member->heard;
  if (!view.spec.failover_enabled && !view.forced()) {
    return let_return(view, sight, "spec.failover.enabled is false", "FailoverDisabled", decision);
  }
  const bool may_return = !view.forced() && heard && sight.report->start_error.empty() && !sight.report->terminating;
  if (may_return && view.spec.crash_grace > Duration::zero() && sight.member->down_since &&
      view.now < *sight.member->down_since + view.spec.crash_grace) {
    decision.look_again = *sight.member->down_since + view.spec.crash_grace;
    set_state(decision, ClusterState::kReopening,
              std::format("{}; it may come back within crashGraceMilliseconds", sight.evidence));
    return add_order(decision, Permit{old.ordinal});
  }
  const GtidSet* log = heard && sight.report->dead_log ? &*sight.report->dead_log : nullptr;
  const Assessment rehearsal = assess(view, Revocation::kAssumed, log);
  decision.ballots = rehearsal.ballots;
  if (!rehearsal.possible() && log_is_being_read(sight)) {
    return set_state(decision, ClusterState::kFailingOver, std::format("{}; its log is being read", sight.evidence));
  }
  if (!rehearsal.possible()) return let_return(view, sight, rehearsal.sentence, rehearsal.code, decision);
  Recorded next = view.recorded;
  next.epoch = Epoch{next.epoch.get() + 1};
  const std::string evidence =
      view.forced() ? std::format("a person gave {} up; {}", view.pod(old.ordinal), sight.evidence) : sight.evidence;
  next.failover = FailoverRecord{
      .id = std::format("{}-{}", view.spec.name, next.epoch), .old_primary = old, .evidence = evidence, .given_up = {}};
  set_state(decision, ClusterState::kFailingOver, evidence);
  propose(decision, std::move(next), std::format("failover begins: {}", evidence));
}

void plan_failover(const View& view, const PrimarySight& sight, Decision& decision) {
  if (sight.reachability == Reachability::kUp) return plan_primary(view, sight, decision);
  if (sight.reachability == Reachability::kStarting && !start_is_given_up(view, sight)) {
    return wait_for_start(view, sight, decision);
  }
  if (record_end(view, sight, decision)) return;
  revoke(view, sight, decision);
  const GtidSet* dead_log = usable_dead_log(view, sight);
  const Assessment assessment = judge(view, dead_log);
  decision.ballots = assessment.ballots;
  if (const auto deadline = straggler_deadline(view, sight); assessment.possible() && deadline) {
    decision.look_again = deadline;
    return set_state(decision, ClusterState::kFailingOver,
                     "enough logs are read; the receiver of another acker is being stopped");
  }
  if (assessment.possible() && tail_is_worth_waiting_for(view, sight)) {
    decision.look_again = *sight.member->down_since + kStragglerPatience;
    return set_state(decision, ClusterState::kFailingOver, "the log of the dead primary is being read");
  }
  if (assessment.possible()) return converge(view, assessment, dead_log, decision);
  // One that was relaxed because others held everything counts again when it keeps what it commits.
  restore_durability(view, decision);
  permit_candidates(view, assessment, decision);
  if (!decision.steps.empty() || log_is_being_read(sight)) {
    return set_state(decision, ClusterState::kFailingOver,
                     std::format("stopping receivers and reading logs; so far {}", assessment.sentence));
  }
  let_return(view, sight, assessment.sentence, assessment.code, decision);
}

}  // namespace baton::engine
