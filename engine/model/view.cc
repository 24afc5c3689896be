#include "engine/model/view.h"

#include <algorithm>
#include <format>

namespace baton::engine {
namespace {

const Report* departed_report(const ObservedCluster& observed, const ServerUuid& uuid) {
  const auto found = std::ranges::find_if(observed.departed, [&](const Report& report) { return report.uuid == uuid; });
  return found == observed.departed.end() ? nullptr : &*found;
}

/// A new pod cannot tell the end of a mysqld that another pod ran, on another node; its kubelet can, and a person.
bool may_run_elsewhere(const View& view, const Report& report) {
  return !report.unseen_pod.get().empty() && !view.observed.ended_pods.contains(report.unseen_pod) && !view.forced();
}

/// Whether the line is of the record's time. One that is not heard may have been opened anew since it was: what its old
/// line says of an end is no news of the mysqld that runs now. Whoever obeys the newest record was heard after all that
/// another leader ordered.
bool is_current(const View& view, const Report& report) {
  if (obeys_record(view, report)) return true;
  const std::int64_t epoch = view.recorded.epoch.get();
  const auto& failover = view.recorded.failover;
  if (!failover) return report.opened_epoch.get() >= epoch;
  // The intent raised the epoch; whoever was chosen in it may not have been opened yet.
  if (failover->phase == FailoverPhase::kRevoking) return report.opened_epoch.get() + 1 >= epoch;
  return report.held_epoch.get() >= epoch;
}

/// `why`: in brackets, what keeps the operator from hearing that member, if that is known.
PrimarySight sight_of_report(const View& view, const ObservedMember* member, const Report* report,
                             const std::string& pod, const std::string& why) {
  PrimarySight sight{.member = member, .report = report};
  if (report == nullptr) {
    sight.evidence = std::format("nothing was heard of {} yet{}", pod, why);
    return sight;
  }
  const bool heard = member != nullptr && member->heard;
  if (may_run_elsewhere(view, *report)) {
    sight.evidence = std::format(
        "{} is a new pod on another node, and nobody saw the end of the one in which its mysqld was open "
        "(force-deleted, or its node lost): it may still take writes there",
        pod);
  } else if (!heard && !is_current(view, *report)) {
    sight.evidence = std::format("{} is not heard{}, and what was heard of it last is older than the record", pod, why);
  } else if (report->process == Process::kNotRunning && report->held) {
    sight.reachability = Reachability::kDownProven;
    sight.evidence = std::format("the sidecar of {} saw mysqld end ({}) and holds its start", pod,
                                 report->exit.empty() ? "before it started itself" : report->exit);
  } else if (!heard && view.observed.ended_pods.contains(report->pod_uid)) {
    sight.reachability = Reachability::kDownProven;
    sight.evidence = std::format("the kubelet reported that the containers of {} have ended", pod);
  } else if (!heard) {
    sight.evidence = std::format("{} is not heard{}; silence is no proof that its mysqld is dead", pod, why);
  } else if (report->process == Process::kRunning && report->server) {
    sight.reachability = Reachability::kUp;
  } else if (report->process == Process::kRunning) {
    sight.evidence = std::format("mysqld of {} runs but does not answer: {}", pod, report->sql_error);
  } else if (report->process == Process::kUnknown) {
    sight.evidence = std::format("the gate of {} has not spoken yet", pod);
  } else {
    sight.reachability = Reachability::kStarting;
    sight.evidence = report->start_error.empty()
                         ? std::format("mysqld of {} is starting", pod)
                         : std::format("mysqld of {} does not start: {}", pod, report->start_error);
    if (const std::string ends = keeps_ending(*report, pod); !ends.empty()) sight.evidence += "; " + ends;
  }
  return sight;
}

}  // namespace

std::string_view name_of(Reachability reachability) {
  switch (reachability) {
    case Reachability::kUp: return "Up";
    case Reachability::kStarting: return "Starting";
    case Reachability::kDownProven: return "DownProven";
    case Reachability::kUnknown: return "Unknown";
  }
  return "Unknown";
}

std::string View::pod(Ordinal ordinal) const { return std::format("{}-{}", spec.name, ordinal); }

const ObservedMember* View::member(Ordinal ordinal) const {
  const auto found = std::ranges::find(observed.members, ordinal, &ObservedMember::ordinal);
  return found == observed.members.end() ? nullptr : &*found;
}

const ObservedMember* View::member(const ServerUuid& uuid) const {
  const auto found = std::ranges::find_if(observed.members,
                                          [&](const ObservedMember& m) { return m.report && m.report->uuid == uuid; });
  return found == observed.members.end() ? nullptr : &*found;
}

PrimarySight View::primary() const {
  if (!recorded.current_primary) return {.evidence = "no primary was ever recorded"};
  const auto& [ordinal, uuid] = *recorded.current_primary;
  const ObservedMember* present = member(uuid);
  const Report* report = present != nullptr ? &*present->report : departed_report(observed, uuid);
  const ObservedMember* there = member(ordinal);
  const std::string why = there != nullptr && !there->refusal.empty() ? " (" + there->refusal + ")" : "";
  return sight_of_report(*this, present, report, pod(ordinal), why);
}

std::vector<const ObservedMember*> View::replicas() const {
  std::vector<const ObservedMember*> result;
  for (const ObservedMember& member : observed.members) {
    const bool is_primary =
        recorded.current_primary && member.report && member.report->uuid == recorded.current_primary->uuid;
    if (!is_primary) result.push_back(&member);
  }
  return result;
}

const CandidateRule* View::rule(Ordinal ordinal) const {
  const auto found = std::ranges::find(spec.candidates, ordinal, &CandidateRule::member);
  return found == spec.candidates.end() ? nullptr : &*found;
}

bool View::still_expected(const ObservedMember& member) const {
  return !member.pod_uid.get().empty() && !member.report && member.not_acking_since &&
         now < *member.not_acking_since + kPatience;
}

bool View::forced() const {
  return observed.forced && recorded.current_primary && *observed.forced == recorded.current_primary->ordinal;
}

GtidSet View::legitimate(const GtidSet& set) const {
  GtidSet result = set.intersected(recorded.required());
  if (recorded.current_primary) result = result.united(set.of_uuid(recorded.current_primary->uuid.get()));
  for (const EndedEpoch& ended : recorded.epochs) result = result.united(set.intersected(ended.final_set));
  return result;
}

std::string how_it_ended(const Report& report) {
  if (report.exit.empty()) return "ended";
  return report.exit.starts_with("killed") ? "was " + report.exit : report.exit;
}

std::string keeps_ending(const Report& report, const std::string& pod) {
  if (report.unordered_ends < kEndsInARow) return {};
  // Nobody else sends that one: our own kills are ordered.
  const bool out_of_memory = report.exit == "killed by signal 9";
  const auto pause = std::chrono::duration_cast<std::chrono::seconds>(report.restart_pause).count();
  return std::format(
      "mysqld of {} keeps ending: {} times without half a minute of service in between, and the last "
      "time it {}{}; {}",
      pod, report.unordered_ends, how_it_ended(report),
      out_of_memory ? " (most often the container's memory limit)" : "",
      report.process == Process::kRunning ? "it runs again for now"
      : pause == 0                        ? "it is started again at once"
                                          : std::format("it is started again {} s later", pause));
}

const Server* server_of(const ObservedMember& member) {
  const bool answers =
      member.heard && member.report && member.report->process == Process::kRunning && member.report->server;
  return answers ? &*member.report->server : nullptr;
}

GtidSet holdings(const Server& server) { return server.executed.united(server.channel.retrieved); }

std::optional<GtidSet> proven_holdings(const ObservedMember& member) {
  // Its files may hold more than its channel knows of: somebody may have reset that.
  if (const Server* server = server_of(member)) return holdings(*server).united(member.report->servable);
  const bool dead = member.heard && member.report && member.report->process == Process::kNotRunning;
  return dead ? member.report->dead_log : std::nullopt;
}

GtidSet logged(const Server& server) { return server.executed.united(server.owned); }

int real_ack_count(const Server& server) {
  return server.semi_sync.source_enabled ? server.semi_sync.wait_for_count : 0;
}

bool follows(const Server& server, const ObservedMember& source) {
  return !source.address.empty() && server.channel.source_host == source.address && !server.channel.from_logs;
}

bool fetches_from(const Server& server, const ObservedMember& source) {
  return !source.address.empty() && server.channel.source_host == source.address && server.channel.from_logs;
}

bool acks_to(const Server& server, const ObservedMember& source) {
  return follows(server, source) && server.channel.receiver == Thread::kRunning && server.semi_sync.replica_active;
}

bool obeys_record(const View& view, const Report& report) {
  return std::pair(report.held_epoch, report.held_revision) >= std::pair(view.recorded.epoch, view.recorded.revision);
}

Identity identity_of(const ObservedMember& member) {
  if (!member.report) return {.ordinal = member.ordinal};
  return {.ordinal = member.ordinal,
          .uuid = member.report->uuid,
          .pod_uid = member.report->pod_uid,
          .boot_id = member.report->boot_id,
          .fsyncs = member.report->server && member.report->server->fsyncs_relay_log};
}

}  // namespace baton::engine
