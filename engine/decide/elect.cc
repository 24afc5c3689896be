#include "engine/decide/elect.h"

#include <algorithm>
#include <format>
#include <tuple>

namespace baton::engine {
namespace {

struct Candidate {
  const ObservedMember* member = nullptr;
  bool stuck = false;  ///< Comes no nearer to the target: a reader's lock may hold up its applier for hours.
  bool gives_way = false;
  bool followed = false;
  std::uint64_t foregone = 0;  ///< What another holds and nobody can send: its holder would be errant afterwards.
  int priority = 50;
  std::uint64_t lacking = 0;  ///< Of the target: to be fetched from the logs of others.
  std::uint64_t backlog = 0;  ///< Of the target: to be fetched or applied.
};

/// Whose logs may be asked for transactions. The dead primary is one only if its log may be used.
std::vector<const ObservedMember*> sources(const View& view, const GtidSet* dead_log) {
  std::vector<const ObservedMember*> result;
  for (const ObservedMember& member : view.observed.members) {
    const bool is_primary =
        view.recorded.current_primary && member.report && member.report->uuid == view.recorded.current_primary->uuid;
    if (member.heard && member.report && (!is_primary || dead_log != nullptr)) result.push_back(&member);
  }
  return result;
}

/// What logs other than `member`'s can send; of all, without one.
GtidSet servable_by_others(const std::vector<const ObservedMember*>& sources, const ObservedMember* member) {
  GtidSet result;
  for (const ObservedMember* source : sources) {
    if (member == nullptr || source->ordinal != member->ordinal) result = result.united(source->report->servable);
  }
  return result;
}

/// Whether another was turned to it, also in vain: else an election would be undone for what it led to.
bool is_followed(const View& view, const ObservedMember& member) {
  return std::ranges::any_of(view.replicas(), [&](const ObservedMember* other) {
    const Server* server = server_of(*other);
    if (other->ordinal == member.ordinal || server == nullptr || !follows(*server, member)) return false;
    return server->channel.receiver != Thread::kStopped || !server->channel.receiver_error.empty();
  });
}

/// Why the member cannot be promoted; empty if it can.
std::string disqualified(const View& view, const ObservedMember& member, Revocation revocation, const GtidSet& target,
                         const GtidSet& servable) {
  const std::string pod = view.pod(member.ordinal);
  if (!member.heard) return std::format("{} is not heard", pod);
  const Server* server = server_of(member);
  if (server == nullptr) return std::format("mysqld of {} does not answer", pod);
  if (member.report->terminating) return std::format("{} is being deleted", pod);
  if (member.ordinal.get() >= view.spec.replicas) return std::format("{} is being scaled away", pod);
  if (const CandidateRule* rule = view.rule(member.ordinal); rule != nullptr && rule->never_promote) {
    return std::format("{} is marked neverPromote", pod);
  }
  if (revocation == Revocation::kDone && !revoked(view, member)) {
    return std::format("the receiver of {} is not known to be stopped", pod);
  }
  const GtidSet held = holdings(*server);
  if (const GtidSet errant = held.minus(view.legitimate(held)); !errant.empty()) {
    return std::format("{} holds errant transactions {}", pod, errant.to_string());
  }
  if (const GtidSet missing = target.minus(held).minus(servable); !missing.empty()) {
    return std::format("{} lacks {} transactions of the target, and nobody's logs can send them: {}", pod,
                       missing.size(), missing.to_string());
  }
  if (!server->channel.applier_error.empty() && !server->executed.contains(target)) {
    return std::format("the applier of {} is broken: {}", pod, server->channel.applier_error);
  }
  if (!server->drift.empty()) return std::format("{} has a pinned setting changed: {}", pod, server->drift.front());
  return {};
}

/// The history as far as any replica is proven to hold it. More than the proof's logs, when one that is no acker got
/// more.
GtidSet all_held(const View& view) {
  GtidSet all;
  for (const ObservedMember* member : view.replicas()) {
    if (const auto held = proven_holdings(*member)) all = all.united(view.legitimate(*held));
  }
  return all;
}

/// Whether it comes no nearer to what it is to hold and apply, though it had the time: one that lacks transactions,
/// since it fetches them.
bool is_stuck(const View& view, const ObservedMember& member, std::uint64_t lacking, std::uint64_t backlog) {
  const bool fetches = server_of(member)->channel.from_logs;
  if (backlog == 0 || (lacking > 0 && !fetches)) return false;
  const std::optional<Instant>& since = lacking > 0 ? member.idle_since : member.unmoved_since;
  return since && view.now >= *since + view.spec.salvage_stall;
}

Candidate candidate_of(const View& view, const ObservedMember& member, const GtidSet& target, const GtidSet& all) {
  const CandidateRule* rule = view.rule(member.ordinal);
  const GtidSet held = holdings(*server_of(member));
  const std::uint64_t lacking = target.minus(held).size();
  // The target grows by what the winner holds.
  const std::uint64_t backlog = target.united(view.legitimate(held)).minus(server_of(member)->executed).size();
  return {.member = &member,
          .stuck = is_stuck(view, member, lacking, backlog),
          .followed = is_followed(view, member),
          .foregone = all.minus(target).minus(held).size(),
          .priority = rule != nullptr ? rule->priority : CandidateRule{}.priority,
          .lacking = lacking,
          .backlog = backlog};
}

/// Who is stuck gives way only to one that has to be elected for what it can do better; else two would take turns, and
/// each lose the time that the other had.
/// - One that holds all and cannot apply it: to one that has applied all, or that must be elected to fetch what it
///   lacks. Who has merely to apply does that unelected, and wins when it is done.
/// - One that gets nothing of what it lacks, and all others that lack something: to one that lacks nothing and is not
///   stuck.
void let_able_ones_pass(std::vector<Candidate>& candidates) {
  const auto able = [&](const auto& what) {
    return std::ranges::any_of(candidates, [&](const Candidate& c) { return !c.stuck && what(c); });
  };
  const bool holds_all = able([](const Candidate& c) { return c.lacking == 0; });
  const bool to_be_elected = able([](const Candidate& c) { return c.lacking > 0 || c.backlog == 0; });
  const bool in_vain = std::ranges::any_of(candidates, [](const Candidate& c) { return c.stuck && c.lacking > 0; });
  for (Candidate& c : candidates) c.gives_way = c.lacking > 0 ? holds_all && in_vain : c.stuck && to_be_elected;
}

/// Strict weak order by one tuple: no pairwise exceptions.
bool ranks_before(const Candidate& a, const Candidate& b) {
  const auto key = [](const Candidate& c) {
    return std::tuple(c.gives_way, !c.followed, c.foregone, -c.priority, c.lacking, c.backlog, c.member->ordinal);
  };
  return key(a) < key(b);
}

std::string standing(const View& view, const Candidate& candidate) {
  const std::string pod = view.pod(candidate.member->ordinal);
  const std::string holds =
      candidate.lacking == 0
          ? std::format("{} holds the whole target", pod)
          : std::format("{} lacks {} transactions of the target, which logs can send", pod, candidate.lacking);
  return std::format("{}; priority {}, {} transactions to apply", holds, candidate.priority, candidate.backlog);
}

void elect(const View& view, Revocation revocation, const std::vector<const ObservedMember*>& sources,
           Assessment& assessment) {
  std::vector<Candidate> candidates;
  std::vector<Ballot> rejected;
  const GtidSet all = all_held(view);
  for (const ObservedMember* member : view.replicas()) {
    std::string why = disqualified(view, *member, revocation, assessment.target, servable_by_others(sources, member));
    if (why.empty()) {
      candidates.push_back(candidate_of(view, *member, assessment.target, all));
    } else {
      rejected.push_back({.member = member->ordinal, .eligible = false, .sentence = std::move(why)});
    }
  }
  let_able_ones_pass(candidates);
  std::ranges::sort(candidates, ranks_before);
  for (const Candidate& candidate : candidates) {
    assessment.ballots.push_back(
        {.member = candidate.member->ordinal, .eligible = true, .sentence = standing(view, candidate)});
  }
  assessment.ballots.insert(assessment.ballots.end(), rejected.begin(), rejected.end());
  if (!candidates.empty()) {
    assessment.winner = candidates.front().member->ordinal;
    // What it holds beyond the target becomes part of the history with it, and so must be known as such.
    assessment.target = assessment.target.united(view.legitimate(holdings(*server_of(*candidates.front().member))));
    assessment.sentence = assessment.ballots.front().sentence;
    return;
  }
  assessment.code = "NoCandidate";
  assessment.sentence = "no member can be promoted";
  for (const Ballot& ballot : rejected) assessment.sentence += std::format("; {}", ballot.sentence);
}

/// What is known to be wrong with the lost primary's own log; empty: nothing.
std::string own_log_problem(const View& view) {
  const auto& primary = view.recorded.current_primary;
  const ObservedMember* member = primary ? view.member(primary->uuid) : nullptr;
  if (member == nullptr || !member->heard || member->report->dead_log_error.empty()) return {};
  return std::format("; the log of {} cannot be read to its end: {}", member->pod, member->report->dead_log_error);
}

std::string quorum_refusal(const View& view, const LogQuorum& quorum) {
  if (view.recorded.ack_count == 0) {
    return view.recorded.ever_ready
               ? "commits waited for no acks, so only the primary's own log is known to hold everything acknowledged"
               : "semi-sync has no acker yet, so only the primary's own log is known to hold everything acknowledged";
  }
  if (const std::string why = why_own_log_needed(view); !why.empty()) {
    return std::format("only the log of {} is known to hold everything acknowledged, because {}",
                       view.pod(view.recorded.current_primary->ordinal), why);
  }
  const auto needed = std::ssize(view.recorded.ackers) - view.recorded.ack_count + 1;
  std::string sentence = std::format("the logs of {} of {} ackers are needed and {} can be counted", needed,
                                     view.recorded.ackers.size(), quorum.counted.size());
  for (const std::string& why : quorum.missing) sentence += std::format("; {}", why);
  return sentence;
}

}  // namespace

Assessment assess(const View& view, Revocation revocation, const GtidSet* dead_log, Salvage salvage) {
  Assessment assessment{.quorum = log_quorum(view, revocation, dead_log)};
  if (!assessment.quorum.proven() && !view.forced()) {
    assessment.code = "NoLogQuorum";
    assessment.sentence = quorum_refusal(view, assessment.quorum) + own_log_problem(view);
    return assessment;
  }
  const std::vector<const ObservedMember*> from = sources(view, dead_log);
  assessment.target = view.legitimate(assessment.quorum.logs);
  if (salvage == Salvage::kAll) {
    // What is not needed for the proof is saved where it can be: nobody is errant then who need not be.
    GtidSet known = all_held(view);
    if (dead_log != nullptr && view.spec.apply_tail) known = known.united(view.legitimate(*dead_log));
    assessment.target = assessment.target.united(known.intersected(servable_by_others(from, nullptr)));
  }
  const GtidSet missing = view.recorded.required().minus(assessment.target);
  if (!missing.empty() && !view.forced()) {
    assessment.code = view.recorded.floor.minus(assessment.target).empty() ? "WatermarkMissing" : "FloorMissing";
    assessment.sentence = std::format("{} transactions that may have been acknowledged are in no readable log: {}",
                                      missing.size(), missing.to_string());
    return assessment;
  }
  elect(view, revocation, from, assessment);
  assessment.given_up = missing.minus(assessment.target);
  return assessment;
}

namespace {

/// Whether the candidate fetches from that source in vain: it is told an error, has not got through to it for long, or
/// gets nothing from it for very long.
bool fetches_in_vain(const View& view, const ObservedMember& candidate, const ObservedMember& source) {
  const Server& server = *server_of(candidate);
  if (!fetches_from(server, source)) return false;
  if (!server.channel.receiver_error.empty()) return true;
  // One that is connected may be receiving a long transaction: to turn would be to begin it anew.
  const Duration patience = server.channel.receiver == Thread::kRunning ? view.spec.salvage_stall : kPatience;
  const bool turned = candidate.turned_since && view.now >= *candidate.turned_since + patience;
  const bool idle = candidate.idle_since && view.now >= *candidate.idle_since + patience;
  return turned && idle;
}

/// Who refuses the operator's credentials, by name; no order reaches them.
std::string refusing(const View& view) {
  std::string names;
  for (const ObservedMember& member : view.observed.members) {
    if (!member.refusal.empty()) names += (names.empty() ? "" : ", ") + view.pod(member.ordinal);
  }
  return names;
}

/// Whether a failover would be possible now; members that take no orders are of no use to it.
Assessment assess_loss(const View& view) {
  if (refusing(view).empty()) return assess(view, Revocation::kAssumed, nullptr);
  ObservedCluster reachable = view.observed;
  for (ObservedMember& member : reachable.members) member.heard = member.heard && member.refusal.empty();
  return assess({view.spec, view.recorded, reachable, view.now}, Revocation::kAssumed, nullptr);
}

}  // namespace

const ObservedMember* source_of(const View& view, const ObservedMember& candidate, const GtidSet& missing,
                                const GtidSet* dead_log) {
  const Server& server = *server_of(candidate);
  const ObservedMember* best = nullptr;
  std::tuple<bool, bool, std::uint64_t> best_rank;
  for (const ObservedMember* source : sources(view, dead_log)) {
    const std::uint64_t sends = source->report->servable.intersected(missing).size();
    if (source->ordinal == candidate.ordinal || sends == 0 || source->address.empty()) continue;
    const bool current = fetches_from(server, *source) && server.channel.receiver != Thread::kStopped;
    const std::tuple rank(!fetches_in_vain(view, candidate, *source), current, sends);
    if (best != nullptr && rank <= best_rank) continue;
    best = source;
    best_rank = rank;
  }
  return best;
}

Readiness readiness(const View& view) {
  if (view.spec.replicas == 1) {
    return {.reason = "SingleMember", .sentence = "there is no other member that could take over (replicas: 1)"};
  }
  if (!view.recorded.current_primary) return {.reason = "NoPrimary", .sentence = "the first primary is not made yet"};
  if (!view.spec.failover_enabled) return {.reason = "FailoverDisabled", .sentence = "spec.failover.enabled is false"};
  const Assessment assessment = assess_loss(view);
  if (!assessment.possible()) {
    const std::string names = refusing(view);
    if (names.empty()) return {.reason = assessment.code, .sentence = assessment.sentence};
    return {
        .reason = "SecretsRolling",
        .sentence = std::format("{} and the operator do not take each other's credentials, so that no order reaches "
                                "members that a failover needs; {}",
                                names, assessment.sentence)};
  }
  return {.ready = true, .reason = "Ready", .sentence = std::format("next primary: {}", assessment.sentence)};
}

GtidSet errant_against(const Server& replica, const Server& primary, const ServerUuid& primary_uuid) {
  const GtidSet foreign = holdings(replica).minus(logged(primary));
  return foreign.minus(foreign.of_uuid(primary_uuid.get()));
}

}  // namespace baton::engine
