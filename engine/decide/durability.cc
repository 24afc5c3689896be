#include "engine/decide/durability.h"

#include <algorithm>
#include <format>

namespace baton::engine {
namespace {

/// Why the member behind `identity` does not count in R; empty if it does.
std::string why_not_counted(const View& view, const Identity& identity, Revocation revocation) {
  const std::string pod = view.pod(identity.ordinal);
  const ObservedMember* member = view.member(identity.ordinal);
  if (member == nullptr || member->pod_uid.get().empty()) return std::format("{} has no pod", pod);
  if (!member->heard) return std::format("{} is not heard", pod);
  std::string why;
  if (!stands_for(view, *member, identity, why)) return why;
  if (!proven_holdings(*member)) {
    const std::string& detail = member->report->dead_log_error;
    return std::format("mysqld of {} does not answer, and its logs are not read{}{}", pod, detail.empty() ? "" : ": ",
                       detail);
  }
  // As a receiver can be stopped, so durability can be restored, but only while mysqld runs.
  if (member->report->relaxed && (revocation == Revocation::kDone || server_of(*member) == nullptr)) {
    return std::format("the durability of {} is relaxed: a crash of its node may take its data", pod);
  }
  if (revocation == Revocation::kDone && !revoked(view, *member)) {
    return server_of(*member) != nullptr ? std::format("the receiver of {} is not known to be stopped", pod)
                                         : std::format("the start of mysqld of {} is not known to be held", pod);
  }
  return {};
}

/// Whether only the kubelet told of the end: it does not say whether mysqld was killed or shut itself down in order.
bool ended_unseen(const View& view, const PrimarySight& sight) {
  const bool heard = sight.member != nullptr && sight.member->heard;
  return !heard && sight.report->process != Process::kNotRunning &&
         view.observed.ended_pods.contains(sight.report->pod_uid);
}

}  // namespace

bool stands_for(const View& view, const ObservedMember& member, const Identity& identity, std::string& why) {
  const std::string pod = view.pod(identity.ordinal);
  if (!member.report || member.report->uuid != identity.uuid) {
    why = std::format("{} has another data directory than the one that acknowledged (uuid {})", pod, identity.uuid);
    return false;
  }
  if (member.report->pod_uid != identity.pod_uid && !view.observed.ended_pods.contains(identity.pod_uid)) {
    why = std::format("{} is a new pod, and the end of the one before it was not seen (force-deleted?)", pod);
    return false;
  }
  if (member.report->boot_id != identity.boot_id && !identity.fsyncs) {
    why = std::format(
        "the node of {} was booted since it acknowledged, and acks were not fsynced (relayLogDurability: Default)",
        pod);
    return false;
  }
  return true;
}

bool revoked(const View& view, const ObservedMember& member) {
  if (!member.heard || !member.report || member.report->held_epoch < view.recorded.epoch) return false;
  const Server* server = server_of(member);
  if (server == nullptr) return member.report->process == Process::kNotRunning && member.report->held;
  if (server->channel.receiver == Thread::kStopped || server->channel.from_logs) return true;
  // Turned by an order of this epoch to a member that is not the old primary.
  const ServerUuid old = view.recorded.failover ? view.recorded.failover->old_primary.uuid : ServerUuid{};
  for (const ObservedMember& other : view.observed.members) {
    if (other.ordinal != member.ordinal && other.report && other.report->uuid != old && follows(*server, other))
      return true;
  }
  return false;
}

std::string why_own_log_needed(const View& view) {
  if (!view.recorded.mandatory_log.empty()) return view.recorded.mandatory_log;
  if (!view.recorded.current_primary) return {};
  const PrimarySight sight = view.primary();
  if (sight.report == nullptr) return {};
  const OpenEnd end = sight.report->open_end;
  if (end == OpenEnd::kUntold || ended_unseen(view, sight)) return "it is not known how its mysqld ended";
  if (end == OpenEnd::kNone) return {};
  return std::format(
      "its mysqld was shut down by nobody's order ({}), which tells clients that wait for acks OK for rows that no "
      "replica has",
      sight.report->exit);
}

LogQuorum log_quorum(const View& view, Revocation revocation, const GtidSet* dead_log) {
  LogQuorum quorum;
  for (const Identity& identity : view.recorded.ackers) {
    std::string why = why_not_counted(view, identity, revocation);
    if (!why.empty()) {
      quorum.missing.push_back(std::move(why));
      continue;
    }
    quorum.counted.push_back(identity);
    quorum.logs = quorum.logs.united(*proven_holdings(*view.member(identity.ordinal)));
  }
  const auto acks = static_cast<std::ptrdiff_t>(view.recorded.ack_count);
  const auto all = std::ssize(view.recorded.ackers);
  quorum.proof_by_quorum =
      acks >= 1 && all >= acks && std::ssize(quorum.counted) > all - acks && why_own_log_needed(view).empty();
  quorum.proof_by_dead_log = dead_log != nullptr;
  if (!quorum.proof_by_quorum && dead_log != nullptr) quorum.logs = *dead_log;
  return quorum;
}

}  // namespace baton::engine
