#include <algorithm>
#include <format>
#include <utility>

#include "engine/plan/plans.h"

namespace baton::engine {
namespace {

void find(Decision& decision, const ObservedMember& member, std::string code, std::string sentence) {
  decision.findings.push_back({std::move(code), member.ordinal, std::move(sentence)});
}

/// A caught-up replica if there is one, to spare the primary.
const ObservedMember* donor_for(const View& view, const ObservedMember& primary) {
  const Server& source = *server_of(primary);
  for (const ObservedMember* member : view.replicas()) {
    const Server* server = server_of(*member);
    if (server == nullptr || !follows(*server, primary) || server->channel.applier != Thread::kRunning) continue;
    if (member->report->relaxed) continue;
    if (!errant_against(*server, source, primary.report->uuid).empty()) continue;
    if (source.executed.minus(server->executed).size() <= kCaughtUpBacklog) return member;
  }
  return &primary;
}

/// Whether its sidecar is making or filling its data directory.
bool is_being_filled(const ObservedMember& member) {
  const Report& report = *member.report;
  return report.process == Process::kCloning || report.process == Process::kInitializing ||
         (report.directory == Directory::kEmpty && !report.busy.empty());
}

/// Whether some other's is, or is about to get the order.
bool another_is_being_filled(const View& view, const Decision& decision) {
  const auto fills = [](const ObservedMember* other) { return other->heard && is_being_filled(*other); };
  return std::ranges::any_of(view.replicas(), fills) ||
         std::ranges::any_of(decision.steps, [](const Step& s) { return std::holds_alternative<CloneFrom>(s); });
}

void fill(const View& view, const ObservedMember& member, const ObservedMember& primary, Decision& decision) {
  const Report& report = *member.report;
  if (!report.start_error.empty()) {
    find(decision, member, "CloneFailed", std::format("{} could not be filled: {}", member.pod, report.start_error));
  } else {
    find(decision, member, "Cloning", std::format("{} is being filled from another member", member.pod));
  }
  if (is_being_filled(member)) return;
  // One after another, so that a replica is there to copy from, and clients of the primary are spared. Before a cluster
  // is open for the first time all begin at once: making a directory takes longer than copying next to nothing, and
  // each waits for its turn at the donor.
  const bool never_open = view.recorded.epoch <= Epoch{1} && server_of(primary)->read_only;
  if (!never_open && another_is_being_filled(view, decision)) return;
  const ObservedMember* donor = donor_for(view, primary);
  if (!server_of(*donor)->clone_unlocked) return add_order(decision, AllowClone{donor->ordinal, true});
  add_order(decision, CloneFrom{member.ordinal, donor->ordinal});
}

/// Accounts are made on each member for itself, since a binlogged one that waits for an ack would lock out the very
/// replica that has to send it. Any replica may be the next primary, so each has the accounts of all others.
void know_others(const View& view, const ObservedMember& member, Decision& decision) {
  const Server& server = *server_of(member);
  for (const ObservedMember& other : view.observed.members) {
    if (other.ordinal == member.ordinal || other.ordinal.get() >= view.spec.replicas || server_of(other) == nullptr)
      continue;
    const bool known = std::ranges::any_of(server.replication_accounts, [&](const ReplicationAccount& account) {
      return account.uuid == other.report->uuid && !account.locked;
    });
    if (!known) return add_order(decision, EnsureReplicationAccount{member.ordinal, other.report->uuid});
  }
}

/// Whether some recorded acker is an earlier pod or boot of this incarnation: it must leave before this one may connect
/// under the same account, unless it is the last one.
bool predecessor_leaves(const View& view, const ObservedMember& member) {
  const Identity identity = identity_of(member);
  return std::ssize(view.recorded.ackers) > std::max(1, view.recorded.ack_count) &&
         std::ranges::any_of(view.recorded.ackers,
                             [&](const Identity& a) { return a.uuid == identity.uuid && a != identity; });
}

void set_aside(const View& view, const ObservedMember& member, const GtidSet& errant, Decision& decision) {
  find(decision, member, "ErrantMember",
       std::format("{} holds transactions that are not part of the history and is set aside: {}. Keep its volume if "
                   "they matter; "
                   "to rebuild it, delete its claim data-{} and its pod",
                   member.pod, errant.to_string(), view.pod(member.ordinal)));
  if (server_of(member)->channel.receiver != Thread::kStopped) add_order(decision, StopReceiver{member.ordinal});
}

void attach(const View& view, const ObservedMember& member, const ObservedMember& primary, Decision& decision) {
  const Server& server = *server_of(member);
  const Server& source = *server_of(primary);
  const Channel& channel = server.channel;
  const bool acker = std::ranges::find(view.recorded.ackers, identity_of(member)) != view.recorded.ackers.end();
  if (predecessor_leaves(view, member))
    return find(decision, member, "Rejoining", std::format("{} rejoins in a new pod", member.pod));
  if (member.report->relaxed) {
    // It was a candidate, and another became primary. Its acks would promise what its disk does not hold.
    add_order(decision, SetDurability{.on = member.ordinal, .relaxed = false});
    return find(decision, member, "Rejoining", std::format("{} gets its durability back", member.pod));
  }
  if (server.read_only && real_ack_count(server) > 0) {
    // Left from a promotion that went to another: its applier would wait for acks that nobody sends.
    return add_order(decision, SetAckCount{member.ordinal, 0});
  }
  const auto known = std::ranges::find(source.replication_accounts, member.report->uuid, &ReplicationAccount::uuid);
  const bool account = known != source.replication_accounts.end() && !known->locked;
  const bool cut_off = known != source.replication_accounts.end() && known->locked;
  if (!account && !acker && (server.semi_sync.replica_enabled || (cut_off && !obeys_record(view, *member.report)))) {
    // It was expelled so that its acks end. Its receiver keeps dialling as an acker, and an order to be one may still
    // be under way: it is let in again only when it has obeyed the newest record and sends none.
    add_order(decision, Follow{member.ordinal, primary.ordinal, false});
    return find(decision, member, "Rejoining", std::format("{} rejoins without acks", member.pod));
  }
  if (!account) {
    add_order(decision, EnsureReplicationAccount{primary.ordinal, member.report->uuid});
    return find(decision, member, "Rejoining", std::format("{} gets a replication account", member.pod));
  }
  if (!channel.applier_error.empty()) {
    return find(decision, member, "ApplierBroken",
                std::format("the applier of {} stopped: {}", member.pod, channel.applier_error));
  }
  const bool turned = follows(server, primary) && channel.receiver != Thread::kStopped &&
                      channel.applier != Thread::kStopped && server.semi_sync.replica_enabled == acker;
  if (!turned) add_order(decision, Follow{member.ordinal, primary.ordinal, acker});
  if (!turned || channel.receiver != Thread::kRunning) {
    find(decision, member, "Rejoining",
         channel.receiver_error.empty()
             ? std::format("{} is connecting to {}", member.pod, primary.pod)
             : std::format("the receiver of {} cannot connect: {}", member.pod, channel.receiver_error));
  } else if (!acker) {
    find(decision, member, "CatchingUp",
         std::format("{} has {} transactions to receive", member.pod, source.executed.minus(holdings(server)).size()));
  }
  know_others(view, member, decision);
  for (const std::string& drift : server.drift)
    find(decision, member, "GuaranteeVoid", std::format("{}: {}", member.pod, drift));
}

/// Why a member that is heard has no server to attach. Nothing is to be done about it but to wait, or a person's doing.
void tell_absence(const View& view, const ObservedMember& member, Decision& decision) {
  const Report& report = *member.report;
  if (!report.start_error.empty()) {
    return find(decision, member, "MysqldDoesNotStart",
                std::format("mysqld of {} does not start. If it refuses a setting, correct spec.mysql.config; if its "
                            "data is damaged, delete its claim data-{} and its pod, and it is filled anew. It said: {}",
                            member.pod, view.pod(member.ordinal), report.start_error));
  }
  // Else said already.
  if (report.unordered_ends >= kEndsInARow) return;
  if (report.unordered_ends > 0 && report.sql_error.empty()) {
    return find(decision, member, "MemberStarting",
                std::format("mysqld of {} {} and is started again", member.pod, how_it_ended(report)));
  }
  find(decision, member, "MemberStarting",
       std::format("mysqld of {} is not up{}{}", member.pod, report.sql_error.empty() ? "" : ": ", report.sql_error));
}

/// Whether a dead member starts a moment later, when clients have the new primary: a mysqld that starts takes
/// processors and disk from what they wait for. Not if it may be needed for acks, and not for long.
bool starts_later(const View& view, const ObservedMember& member, const ObservedMember& primary, Decision& decision) {
  if (!view.recorded.failover || !member.down_since) return false;
  const Instant due = *member.down_since + kPatience;
  if (view.now >= due || server_of(primary)->semi_sync.clients < view.recorded.ack_count) return false;
  decision.look_again = std::min(decision.look_again.value_or(due), due);
  return true;
}

void tend(const View& view, const ObservedMember& member, const ObservedMember& primary, Decision& decision) {
  if (!member.heard) {
    std::string trouble = member.pod_trouble.empty() ? "is not heard" : member.pod_trouble;
    if (!member.refusal.empty()) trouble += "; credentials are refused: " + member.refusal;
    return find(decision, member, "MemberUnheard", std::format("{}: {}", member.pod, trouble));
  }
  const Report& report = *member.report;
  if (report.directory == Directory::kEmpty) return fill(view, member, primary, decision);
  if (report.process == Process::kNotRunning && report.held) {
    find(decision, member, "Rejoining", std::format("{} is permitted to start as a replica", member.pod));
    if (!starts_later(view, member, primary, decision)) add_order(decision, Permit{member.ordinal});
    return;
  }
  const Server* server = server_of(member);
  if (const std::string ends = keeps_ending(report, member.pod); !ends.empty() && report.start_error.empty()) {
    find(decision, member, "MysqldKeepsEnding", ends);
  }
  if (server == nullptr) return tell_absence(view, member, decision);
  if (!server->read_only) {
    // The primary of an earlier epoch that was given up unheard.
    find(decision, member, "StrayPrimary",
         std::format("{} is open for writes although {} is the primary: its mysqld is ended, and comes back read-only",
                     member.pod, primary.pod));
    return add_order(decision, Fence{member.ordinal});
  }
  if (const GtidSet errant = errant_against(*server, *server_of(primary), primary.report->uuid); !errant.empty()) {
    return set_aside(view, member, errant, decision);
  }
  attach(view, member, primary, decision);
}

}  // namespace

void plan_replicas(const View& view, const ObservedMember& primary, Decision& decision) {
  for (const ObservedMember* member : view.replicas()) {
    if (member->ordinal.get() < view.spec.replicas) tend(view, *member, primary, decision);
  }
  for (int i = 0; i < view.spec.replicas; ++i) {
    if (view.member(Ordinal{i}) != nullptr) continue;
    decision.findings.push_back(
        {"MemberUnheard", Ordinal{i}, std::format("{} does not exist yet", view.pod(Ordinal{i}))});
  }
  if (primary.ordinal.get() >= view.spec.replicas) {
    find(decision, primary, "ScaleInHeld",
         std::format("{} is the primary and would be scaled away (replicas: {}); raise replicas again, or delete its "
                     "pod, and another member takes over",
                     primary.pod, view.spec.replicas));
  }
}

}  // namespace baton::engine
