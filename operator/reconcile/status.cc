#include "operator/reconcile/status.h"

#include <algorithm>
#include <utility>

#include "operator/reconcile/conditions.h"

namespace baton::reconcile {
namespace {

using engine::ClusterState;

std::string_view name_of(engine::Thread thread) {
  switch (thread) {
    case engine::Thread::kStopped: return "Stopped";
    case engine::Thread::kConnecting: return "Connecting";
    case engine::Thread::kRunning: return "Running";
  }
  std::unreachable();
}

std::string thread_text(engine::Thread thread, const std::string& error) {
  return error.empty() ? std::string(name_of(thread)) : std::format("{}: {}", name_of(thread), error);
}

/// Sets a field, or removes it where there is nothing to say.
void set_or_erase(Json& object, const char* name, const std::string& value) {
  if (value.empty()) {
    object.erase(name);
  } else {
    object[name] = value;
  }
}

/// GTID sets of one member, from its line or, where they are not to be renewed, as they were written before.
void put_gtids(Json& entry, const Json& before, const engine::ObservedMember& member, bool fresh) {
  const bool known = member.report && member.report->server;
  if (fresh && known) {
    set_or_erase(entry, "gtidExecuted", member.report->server->executed.to_string());
    set_or_erase(entry, "gtidRetrieved", member.report->server->channel.retrieved.to_string());
    return;
  }
  for (const char* field : {"gtidExecuted", "gtidRetrieved"}) {
    if (const auto it = before.find(field); it != before.end()) entry[field] = *it;
  }
}

Json member_entry(const Report& report, const engine::MemberView& view, const Json& before) {
  const std::string pod = report.cluster.names().pod(view.ordinal);
  Json entry = {{"name", pod}, {"role", view.role}, {"reachability", view.reachability}};
  std::string message = view.message;
  const auto member = std::ranges::find(report.observed.members, view.ordinal, &engine::ObservedMember::ordinal);
  if (member != report.observed.members.end()) {
    put_gtids(entry, before, *member, report.fresh_sets);
    if (member->report && member->report->server) {
      const engine::Server& server = *member->report->server;
      entry["version"] = server.version;
      if (!server.channel.source_host.empty()) {
        entry["receiver"] = thread_text(server.channel.receiver, server.channel.receiver_error);
        entry["applier"] = thread_text(server.channel.applier, server.channel.applier_error);
      }
    }
    if (!member->pod_trouble.empty()) message = member->pod_trouble;
  }
  set_or_erase(entry, "errant", view.errant.to_string());
  set_or_erase(entry, "message", message);
  return entry;
}

Json members_json(const Report& report, const Json& before) {
  const auto written = before.find("members");
  Json result = Json::array();
  for (const engine::MemberView& view : report.decision.members) {
    Json earlier = Json::object();
    if (written != before.end() && written->is_array()) {
      for (const Json& entry : *written) {
        if (entry.is_object() && entry.value("name", "") == report.cluster.names().pod(view.ordinal)) earlier = entry;
      }
    }
    result.push_back(member_entry(report, view, earlier));
  }
  return result;
}

/// Conditions as they stay, with the time of the last change of each.
Json conditions_json(const std::vector<Condition>& conditions, const Json& before, std::int64_t generation,
                     std::string_view now) {
  const auto written = before.find("conditions");
  Json result = Json::array();
  for (const Condition& c : conditions) {
    std::string since(now);
    if (written != before.end() && written->is_array()) {
      for (const Json& entry : *written) {
        const bool same =
            entry.is_object() && entry.value("type", "") == c.type && entry.value("status", "") == c.status;
        if (same) since = entry.value("lastTransitionTime", since);
      }
    }
    result.push_back({{"type", c.type},
                      {"status", c.status},
                      {"observedGeneration", generation},
                      {"lastTransitionTime", since},
                      {"reason", c.reason.empty() ? "Unknown" : c.reason},
                      {"message", c.message}});
  }
  return result;
}

Json timeline_json(const Timeline& timeline) {
  Json result = {{"id", timeline.id},
                 {"from", timeline.from},
                 {"to", timeline.to},
                 {"reason", timeline.reason},
                 {"startedAt", timeline.started_at},
                 {"finishedAt", timeline.finished_at},
                 {"target", timeline.target},
                 {"givenUp", timeline.given_up},
                 {"phases", Json::array()}};
  for (const Timeline::Phase& phase : timeline.phases) {
    result["phases"].push_back({{"name", phase.name}, {"at", phase.at}});
  }
  return result;
}

/// What the report says about a failover; the record's own part of it stays.
void put_failover(Json& status, const Report& report) {
  if (report.recorded.failover && status.contains("failover")) {
    Json& failover = status["failover"];
    const bool held = report.decision.state == ClusterState::kFailoverHeld;
    failover["reason"] = report.recorded.failover->evidence;
    if (!failover.contains("startedAt")) {
      const bool ours = report.timeline.id == report.recorded.failover->id;
      failover["startedAt"] = ours ? report.timeline.started_at : report.now;
    }
    set_or_erase(failover, "blockedReason", held ? report.decision.message : "");
    if (report.recorded.failover->phase == engine::FailoverPhase::kOpening) {
      failover["target"] = report.recorded.floor.to_string();
    }
  }
  if (!report.timeline.finished_at.empty()) status["lastFailover"] = timeline_json(report.timeline);
}

void put_target_primary(Json& status, const Report& report) {
  const api::Names names = report.cluster.names();
  std::string target = report.recorded.current_primary ? names.pod(report.recorded.current_primary->ordinal) : "";
  if (report.recorded.failover && report.recorded.failover->phase == engine::FailoverPhase::kRevoking) {
    const auto chosen = std::ranges::find(report.decision.ballots, true, &engine::Ballot::eligible);
    if (chosen != report.decision.ballots.end()) target = names.pod(chosen->member);
  }
  set_or_erase(status, "targetPrimary", target);
}

/// The primary's set, and since when it is the one.
void put_primary(Json& status, const Json& before, const Report& report) {
  if (!report.recorded.current_primary) return;
  const bool writable = takes_writes(report.decision.state);
  const std::string uuid = report.recorded.current_primary->uuid.get();
  if (writable && !before.contains("primarySince")) status["primarySince"] = report.now;
  for (const engine::ObservedMember& member : report.observed.members) {
    // A primary that has just restarted holds a tail that nobody acknowledged: only an open one is believed.
    if (!report.fresh_sets || !writable || !member.report || member.report->uuid.get() != uuid ||
        !member.report->server)
      continue;
    set_or_erase(status, "watermark", member.report->server->executed.to_string());
  }
}

}  // namespace

Json put_report(const Json& before, const Report& report) {
  Json status = before.is_object() ? before : Json::object();
  status["observedGeneration"] = report.cluster.generation;
  status["state"] = std::string(engine::name_of(report.decision.state));
  status["message"] = report.decision.message;
  status["members"] = members_json(report, before);
  status["conditions"] = conditions_json(conditions_of(report), before, report.cluster.generation, report.now);
  put_target_primary(status, report);
  put_primary(status, before, report);
  put_failover(status, report);
  return status;
}

Json put_hold(Json before, std::int64_t generation, std::string_view reason, std::string_view message,
              std::string_view now) {
  Json status = before.is_object() ? std::move(before) : Json::object();
  const Json written = status;
  status["observedGeneration"] = generation;
  status["state"] = "Held";
  status["message"] = std::string(message);
  const Condition not_ready{
      .type = "Ready", .status = "False", .reason = std::string(reason), .message = std::string(message)};
  Json conditions = conditions_json({not_ready}, written, generation, now);
  // The other conditions were judged before; nobody judges them now.
  for (const Json& entry : written.value("conditions", Json::array())) {
    if (entry.is_object() && entry.value("type", "") != "Ready") conditions.push_back(entry);
  }
  status["conditions"] = std::move(conditions);
  return status;
}

}  // namespace baton::reconcile
