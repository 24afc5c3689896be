#include <algorithm>
#include <format>

#include "engine/plan/plans.h"

namespace baton::engine {
namespace {

const ObservedMember* present(const View& view, const Identity& identity) {
  const ObservedMember* member = view.member(identity.ordinal);
  return member != nullptr && member->report && identity_of(*member) == identity ? member : nullptr;
}

bool acking(const View& view, const Identity& identity, const ObservedMember& primary) {
  const ObservedMember* member = present(view, identity);
  const Server* server = member != nullptr ? server_of(*member) : nullptr;
  return server != nullptr && acks_to(*server, primary);
}

/// Acks, as far as is known: one that a new leader has not heard yet gets the benefit of the doubt.
bool counts_as_acking(const View& view, const Identity& identity, const ObservedMember& primary) {
  const ObservedMember* member = view.member(identity.ordinal);
  return acking(view, identity, primary) || (member != nullptr && view.still_expected(*member));
}

/// Since when no acker acks; empty while one does, or may.
std::optional<Instant> without_acks_since(const View& view, const ObservedMember& primary) {
  if (view.recorded.ackers.empty()) return primary.not_acking_since.value_or(view.now);
  std::optional<Instant> since;
  for (const Identity& identity : view.recorded.ackers) {
    if (counts_as_acking(view, identity, primary)) return std::nullopt;
    const ObservedMember* member = view.member(identity.ordinal);
    const Instant silent = member != nullptr ? member->not_acking_since.value_or(view.now) : view.now;
    since = std::max(since.value_or(silent), silent);
  }
  return since;
}

/// Whether commits are to go on without acks: nobody acks, patience is over, and the spec wants it so.
bool degraded(const View& view, const ObservedMember& primary, Decision& decision) {
  if (!view.spec.degrade) return false;
  const auto since = without_acks_since(view, primary);
  if (!since) return false;
  if (view.now >= *since + kPatience) return true;
  decision.look_again = *since + kPatience;
  // What was switched off stays off until somebody acks.
  return view.recorded.ack_count == 0 && view.recorded.ever_ready;
}

/// W as it should be: min(wanted, ackers that ack), never below 1 once an acker was there unless the spec wants commits
/// to go on then; 0 for a single member.
int wanted_ack_count(const View& view, const ObservedMember& primary, Decision& decision) {
  if (view.spec.replicas == 1 || degraded(view, primary, decision)) return 0;
  const auto fit = static_cast<int>(std::ranges::count_if(
      view.recorded.ackers, [&](const Identity& identity) { return counts_as_acking(view, identity, primary); }));
  const bool once = view.recorded.ever_ready || view.recorded.ack_count > 0;
  return std::max(std::min(view.spec.acks, fit), once ? 1 : 0);
}

/// Lower: record first, then do. Raise: do first, then record, with a floor read after it took effect.
void size_ack_count(const View& view, const ObservedMember& primary, Decision& decision) {
  const Server& server = *server_of(primary);
  const int recorded = view.recorded.ack_count;
  const int real = real_ack_count(server);
  const int wanted = wanted_ack_count(view, primary, decision);
  if (!server.read_only && real < recorded) {
    // Somebody else lowered it. What was acknowledged since is in fewer logs than recorded, so the record says that
    // first.
    const std::string void_guarantee =
        std::format("commits of {} wait for {} acks and not for {}, by nobody's order", primary.pod, real, recorded);
    decision.findings.push_back({"GuaranteeVoid", primary.ordinal, void_guarantee});
    Recorded next = view.recorded;
    next.ack_count = real;
    return propose(decision, std::move(next), void_guarantee);
  }
  if (wanted < recorded) {
    Recorded next = view.recorded;
    next.ack_count = wanted;
    // A cluster that grows again starts without acks again: its first acker has yet to be made.
    if (view.spec.replicas == 1) next.ever_ready = false;
    return propose(decision, std::move(next), std::format("commits wait for {} instead of {} acks", wanted, recorded));
  }
  if (real != wanted || (real > recorded && !obeys_record(view, *primary.report))) {
    return add_order(decision, SetAckCount{primary.ordinal, wanted});
  }
  if (real > recorded) {
    Recorded next = view.recorded;
    next.ack_count = real;
    next.floor = logged(server);
    propose(decision, std::move(next), std::format("commits wait for {} instead of {} acks", real, recorded));
  }
}

/// While a setting that acks rest on is not as pinned, commits may go on without them between two looks: until that is
/// mended, and a floor tells what came before, only the primary's own log will do.
bool mind_ack_drift(const View& view, const ObservedMember& primary, Decision& decision) {
  const Server& server = *server_of(primary);
  const bool drifted = !server.read_only && !server.ack_drift.empty() && view.recorded.ack_count > 0;
  if (server.read_only || drifted == !view.recorded.mandatory_log.empty()) return false;
  Recorded next = view.recorded;
  if (drifted) {
    next.mandatory_log = std::format("commits may have gone on without acks: a setting of it was changed by hand ({})",
                                     server.ack_drift);
    propose(decision, std::move(next), std::format("the log of {} is mandatory: {}", primary.pod, server.ack_drift));
    return true;
  }
  next.mandatory_log.clear();
  next.floor = logged(server);
  propose(decision, std::move(next), std::format("the log of {} is not mandatory any more", primary.pod));
  return true;
}

bool expelled(const Server& primary, const ServerUuid& uuid) {
  const bool unlocked = std::ranges::any_of(primary.replication_accounts,
                                            [&](const ReplicationAccount& a) { return a.uuid == uuid && !a.locked; });
  const bool connected = std::ranges::any_of(primary.dump_threads, [&](const DumpThread& d) { return d.uuid == uuid; });
  return !unlocked && !connected;
}

/// Why an acker must leave A; empty if it may stay.
std::string unfit(const View& view, const Identity& identity, const ObservedMember& primary) {
  const std::string pod = view.pod(identity.ordinal);
  if (identity.ordinal.get() >= view.spec.replicas) return std::format("{} is being scaled away", pod);
  if (const ObservedMember* pod_of = view.member(identity.ordinal); pod_of != nullptr && view.still_expected(*pod_of))
    return "";
  const ObservedMember* member = present(view, identity);
  if (member == nullptr) return std::format("{} is not the pod, directory or boot that acknowledged", pod);
  if (const Server* server = server_of(*member)) {
    // One that answers may stay, acking or not: its logs can be read, so it costs a failover nothing; W counts who
    // acks.
    const bool errant = !errant_against(*server, *server_of(primary), primary.report->uuid).empty();
    return errant ? std::format("{} holds errant transactions", pod) : "";
  }
  const bool patient = !member->not_acking_since || view.now < *member->not_acking_since + kPatience;
  return patient ? "" : std::format("{} does not answer", pod);
}

/// An acker whose acks mean less than recorded: somebody changed sync_relay_log. It never becomes more again under the
/// same identity.
bool weaken_acker(const View& view, Decision& decision) {
  for (std::size_t i = 0; i < view.recorded.ackers.size(); ++i) {
    const Identity& identity = view.recorded.ackers[i];
    const ObservedMember* member = present(view, identity);
    if (!identity.fsyncs || member == nullptr || server_of(*member) == nullptr || identity_of(*member).fsyncs) continue;
    Recorded next = view.recorded;
    next.ackers[i].fsyncs = false;
    propose(decision, std::move(next), std::format("acks of {} are not fsynced any more", member->pod));
    return true;
  }
  return false;
}

/// The same directory in a new pod whose predecessor's end was seen: its logs are the logs that acknowledged.
bool replace_identity(const View& view, const Identity& identity, Decision& decision) {
  const ObservedMember* member = view.member(identity.ordinal);
  std::string why;
  if (member == nullptr || !member->heard || present(view, identity) != nullptr) return false;
  if (!stands_for(view, *member, identity, why)) return false;
  Recorded next = view.recorded;
  std::erase(next.ackers, identity);
  Identity successor = identity_of(*member);
  successor.fsyncs = successor.fsyncs && identity.fsyncs;
  if (std::ranges::find(next.ackers, successor) == next.ackers.end()) next.ackers.push_back(std::move(successor));
  propose(decision, std::move(next),
          std::format("{} goes on as an acker in a new pod on the same directory", member->pod));
  return true;
}

/// The incarnation goes on in another pod that is an acker by itself and is the one that the primary serves: the old
/// pod cannot acknowledge, since a primary keeps one dump thread for a server_uuid.
bool superseded(const View& view, const Identity& identity, const ObservedMember& primary) {
  const ObservedMember* member = view.member(identity.ordinal);
  if (member == nullptr || !member->report || member->report->uuid != identity.uuid ||
      present(view, identity) != nullptr)
    return false;
  const Identity current = identity_of(*member);
  if (std::ranges::find(view.recorded.ackers, current) == view.recorded.ackers.end() || !acking(view, current, primary))
    return false;
  const auto& threads = server_of(primary)->dump_threads;
  return std::ranges::all_of(threads,
                             [&](const DumpThread& d) { return d.uuid != identity.uuid || d.host == member->address; });
}

/// One acker that must leave leaves: its acks are ended and seen to have ended, then the record follows, with a floor.
/// The last W are never removed: their logs are what a failover needs.
bool remove_acker(const View& view, const ObservedMember& primary, Decision& decision) {
  const Server& server = *server_of(primary);
  for (const Identity& identity : view.recorded.ackers) {
    const std::string why = unfit(view, identity, primary);
    if (why.empty()) continue;
    if (replace_identity(view, identity, decision)) return true;
    const bool gone = superseded(view, identity, primary);
    const bool spare = std::ssize(view.recorded.ackers) - 1 >= std::max(1, view.recorded.ack_count);
    if (!spare && !(view.spec.replicas == 1 && view.recorded.ack_count == 0)) continue;
    if (!gone && !(expelled(server, identity.uuid) && obeys_record(view, *primary.report))) {
      add_order(decision, ExpelReplica{primary.ordinal, identity.uuid});
      return true;
    }
    Recorded next = view.recorded;
    std::erase(next.ackers, identity);
    next.floor = logged(server);
    propose(decision, std::move(next), std::format("{} is no acker any more: {}", view.pod(identity.ordinal), why));
    return true;
  }
  return false;
}

bool may_join(const View& view, const ObservedMember& member, const ObservedMember& primary) {
  const Server* server = server_of(member);
  if (server == nullptr || member.report->terminating || member.ordinal.get() >= view.spec.replicas) return false;
  if (member.report->relaxed) return false;
  if (!follows(*server, primary) || server->channel.receiver != Thread::kRunning ||
      !server->channel.applier_error.empty())
    return false;
  const Server& source = *server_of(primary);
  if (!errant_against(*server, source, primary.report->uuid).empty()) return false;
  return source.executed.minus(holdings(*server)).size() <= kCaughtUpBacklog;
}

bool add_acker(const View& view, const ObservedMember& primary, Decision& decision) {
  for (const ObservedMember* member : view.replicas()) {
    const Identity identity = identity_of(*member);
    if (std::ranges::find(view.recorded.ackers, identity) != view.recorded.ackers.end()) continue;
    if (!may_join(view, *member, primary)) continue;
    Recorded next = view.recorded;
    next.ackers.push_back(identity);
    propose(decision, std::move(next), std::format("{} is caught up and becomes an acker", member->pod));
    return true;
  }
  return false;
}

/// Who may be connected to the primary at all; it kills the dump threads of others, also later.
void name_replicas(const View& view, const ObservedMember& primary, Decision& decision) {
  std::vector<ServerUuid> known;
  for (const Identity& identity : view.recorded.ackers) known.push_back(identity.uuid);
  for (const ObservedMember* member : view.replicas()) {
    // Who has not been heard yet may be the one that looks like a stranger.
    if (!member->report && !member->pod_uid.get().empty()) return;
    if (member->report && !member->report->uuid.get().empty()) known.push_back(member->report->uuid);
  }
  const auto& threads = server_of(primary)->dump_threads;
  const bool stranger = std::ranges::any_of(
      threads, [&](const DumpThread& d) { return std::ranges::find(known, d.uuid) == known.end(); });
  if (!stranger) return;
  decision.findings.push_back(
      {"GuaranteeVoid", primary.ordinal,
       std::format("a replica that is no member is connected to {}; it is cut off", primary.pod)});
  add_order(decision, SetAckers{primary.ordinal, known});
}

void remember_readiness(const View& view, Decision& decision) {
  if (view.recorded.ever_ready || !decision.readiness.ready || view.spec.replicas < 2) return;
  Recorded next = view.recorded;
  next.ever_ready = true;
  propose(decision, std::move(next), "the cluster is ready for failover for the first time");
}

}  // namespace

void tell_degraded(const View& view, const ObservedMember& primary, Decision& decision) {
  if (view.recorded.ack_count > 0 || !view.recorded.ever_ready || view.spec.replicas == 1) return;
  decision.findings.push_back(
      {"SemiSyncDegraded", primary.ordinal,
       std::format(
           "no replica acknowledges, and commits on {} wait for none: what is written now is lost if its volume "
           "is (spec.replication.semiSync.belowMinimum)",
           primary.pod)});
}

void plan_acks(const View& view, const ObservedMember& primary, Decision& decision) {
  name_replicas(view, primary, decision);
  tell_degraded(view, primary, decision);
  if (mind_ack_drift(view, primary, decision)) return;
  size_ack_count(view, primary, decision);
  if (decision.record) return;
  if (weaken_acker(view, decision)) return;
  if (remove_acker(view, primary, decision)) return;
  if (add_acker(view, primary, decision)) return;
  remember_readiness(view, decision);
}

}  // namespace baton::engine
