#include "operator/reconcile/status.h"

#include <algorithm>
#include <array>
#include <format>
#include <utility>

namespace baton::reconcile {
namespace {

using engine::ClusterState;

constexpr std::array<std::pair<engine::FailoverPhase, std::string_view>, 2> kPhases = {
    {{engine::FailoverPhase::kRevoking, "Revoking"}, {engine::FailoverPhase::kOpening, "Opening"}}};

/// The fields that a record has always, and those that it has at times.
constexpr std::array<std::string_view, 7> kAlways = {"epoch", "revision",  "ackers", "effectiveAcks",
                                                     "floor", "everReady", "epochs"};
constexpr std::array<std::string_view, 3> kAtTimes = {"bootstrap", "currentPrimary", "failover"};

/// Reads fields that must be there and be right; keeps the first failure.
class Strict {
 public:
  explicit Strict(const api::Names& names) : names_(names) {}

  const Json& field(const Json& object, std::string_view name) {
    static const Json kNull;
    const auto it = object.is_object() ? object.find(name) : object.end();
    if (!object.is_object() || it == object.end()) return complain(name, "is missing"), kNull;
    return *it;
  }
  std::string text(const Json& object, std::string_view name) {
    const Json& value = field(object, name);
    if (value.is_string()) return value.get<std::string>();
    return complain(name, "is not text"), "";
  }
  std::int64_t number(const Json& object, std::string_view name) {
    const Json& value = field(object, name);
    if (value.is_number_integer()) return value.get<std::int64_t>();
    return complain(name, "is not a whole number"), 0;
  }
  bool flag(const Json& object, std::string_view name) {
    const Json& value = field(object, name);
    if (value.is_boolean()) return value.get<bool>();
    return complain(name, "is not true or false"), false;
  }
  GtidSet gtids(const Json& object, std::string_view name) {
    auto set = GtidSet::parse(text(object, name));
    if (set) return *std::move(set);
    return complain(name, set.error().what), GtidSet();
  }
  Ordinal member(const Json& object, std::string_view name) {
    const std::string pod = text(object, name);
    const auto ordinal = names_.ordinal_of(pod);
    if (!ordinal) complain(name, std::format("'{}' is no member of this cluster", pod));
    return ordinal.value_or(Ordinal(0));
  }
  ServerUuid uuid(const Json& object) { return ServerUuid(text(object, "uuid")); }
  engine::FailoverPhase phase(const Json& object) {
    const std::string name = text(object, "phase");
    const auto* const found = std::ranges::find(kPhases, name, [](const auto& p) { return p.second; });
    if (found != kPhases.end()) return found->first;
    return complain("phase", std::format("'{}' is unknown", name)), engine::FailoverPhase::kRevoking;
  }
  const Json& list(const Json& object, std::string_view name) {
    static const Json kEmpty = Json::array();
    const Json& value = field(object, name);
    if (value.is_array()) return value;
    return complain(name, "is not a list"), kEmpty;
  }
  void complain(std::string_view name, std::string_view what) {
    if (failure_.empty()) failure_ = std::format("status field '{}' {}", name, what);
  }
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  const api::Names& names_;
  std::string failure_;
};

engine::FailoverRecord failover_of(Strict& strict, const Json& json) {
  const Json& old_primary = strict.field(json, "oldPrimary");
  GtidSet given_up;
  if (json.is_object() && json.contains("givenUp")) given_up = strict.gtids(json, "givenUp");
  return {.id = strict.text(json, "id"),
          .old_primary = {.ordinal = strict.member(old_primary, "name"), .uuid = strict.uuid(old_primary)},
          .evidence = strict.text(json, "evidence"),
          .phase = strict.phase(json),
          .given_up = std::move(given_up)};
}

Json member_ref(const engine::PrimaryRef& ref, const api::Names& names, const char* name_field) {
  return {{name_field, names.pod(ref.ordinal)}, {"uuid", ref.uuid.get()}};
}

Json failover_json(const engine::FailoverRecord& failover, const api::Names& names) {
  const auto* const phase = std::ranges::find(kPhases, failover.phase, [](const auto& p) { return p.first; });
  Json json = {{"id", failover.id},
               {"oldPrimary", member_ref(failover.old_primary, names, "name")},
               {"evidence", failover.evidence},
               {"phase", std::string(phase->second)}};
  if (!failover.given_up.empty()) json["givenUp"] = failover.given_up.to_string();
  return json;
}

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

bool open(ClusterState state) {
  return state == ClusterState::kHealthy || state == ClusterState::kDegraded || state == ClusterState::kWaitingForAcks;
}

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
  Condition result = condition("PrimaryAvailable", open(decision.state), std::string(engine::name_of(decision.state)),
                               decision.message);
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
    if (!open(report.decision.state) || !member.heard || !member.report) continue;
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

Condition guarantee(const Report& report) {
  for (const engine::ObservedMember& member : report.observed.members) {
    if (!member.heard || !member.report || !member.report->server || member.report->server->drift.empty()) continue;
    return condition("GuaranteeVoid", true, "SettingsDrifted",
                     std::format("{}: {}", member.pod, member.report->server->drift.front()));
  }
  return condition("GuaranteeVoid", false, "None", "pinned settings are as they must be");
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
  const bool takes_writes = open(report.decision.state);
  const std::string uuid = report.recorded.current_primary->uuid.get();
  if (takes_writes && !before.contains("primarySince")) status["primarySince"] = report.now;
  for (const engine::ObservedMember& member : report.observed.members) {
    // A primary that has just restarted holds a tail that nobody acknowledged: only an open one is believed.
    if (!report.fresh_sets || !takes_writes || !member.report || member.report->uuid.get() != uuid ||
        !member.report->server)
      continue;
    set_or_erase(status, "watermark", member.report->server->executed.to_string());
  }
}

}  // namespace

Result<engine::Recorded> recorded_of(const Json& status, const api::Names& names) {
  engine::Recorded recorded;
  if (status.is_null()) return recorded;
  if (!status.is_object()) return fail(ErrorKind::kCorrupt, "status is not an object");
  const auto there = [&](std::string_view field) { return status.contains(field); };
  if (std::ranges::none_of(kAlways, there) && std::ranges::none_of(kAtTimes, there)) return recorded;

  Strict strict(names);
  recorded.epoch = Epoch(strict.number(status, "epoch"));
  recorded.revision = Revision(strict.number(status, "revision"));
  recorded.ack_count = static_cast<int>(strict.number(status, "effectiveAcks"));
  recorded.floor = strict.gtids(status, "floor");
  recorded.ever_ready = strict.flag(status, "everReady");
  if (there("watermark")) recorded.watermark = strict.gtids(status, "watermark");
  for (const Json& acker : strict.list(status, "ackers")) {
    recorded.ackers.push_back({.ordinal = strict.member(acker, "member"),
                               .uuid = strict.uuid(acker),
                               .pod_uid = PodUid(strict.text(acker, "podUid")),
                               .boot_id = BootId(strict.text(acker, "bootId"))});
  }
  for (const Json& ended : strict.list(status, "epochs")) {
    recorded.epochs.push_back({.epoch = Epoch(strict.number(ended, "epoch")),
                               .uuid = strict.uuid(ended),
                               .final_set = strict.gtids(ended, "finalSet")});
  }
  if (there("bootstrap")) {
    const Json& chosen = strict.field(status, "bootstrap");
    recorded.bootstrap = {.ordinal = strict.member(chosen, "member"), .uuid = strict.uuid(chosen)};
  }
  if (there("currentPrimary")) {
    const Json& primary = strict.field(status, "currentPrimary");
    recorded.current_primary = {.ordinal = strict.member(primary, "name"), .uuid = strict.uuid(primary)};
  }
  if (there("failover")) recorded.failover = failover_of(strict, strict.field(status, "failover"));
  if (!strict.failure().empty()) return fail(ErrorKind::kCorrupt, "{}", strict.failure());
  return recorded;
}

void put_recorded(Json& status, const engine::Recorded& recorded, const api::Names& names) {
  if (!status.is_object()) status = Json::object();
  // A new primary or epoch begins its own time.
  const bool same_primary = recorded.current_primary && status.contains("currentPrimary") &&
                            status["currentPrimary"] == member_ref(*recorded.current_primary, names, "name") &&
                            status.value("epoch", Json()) == Json(recorded.epoch.get());
  if (!same_primary) status.erase("primarySince");
  status["epoch"] = recorded.epoch.get();
  status["revision"] = recorded.revision.get();
  status["effectiveAcks"] = recorded.ack_count;
  status["floor"] = recorded.floor.to_string();
  status["everReady"] = recorded.ever_ready;
  set_or_erase(status, "watermark", recorded.watermark.to_string());
  status["ackers"] = Json::array();
  for (const engine::Identity& acker : recorded.ackers) {
    status["ackers"].push_back({{"member", names.pod(acker.ordinal)},
                                {"uuid", acker.uuid.get()},
                                {"podUid", acker.pod_uid.get()},
                                {"bootId", acker.boot_id.get()}});
  }
  status["epochs"] = Json::array();
  for (const engine::EndedEpoch& ended : recorded.epochs) {
    status["epochs"].push_back(
        {{"epoch", ended.epoch.get()}, {"uuid", ended.uuid.get()}, {"finalSet", ended.final_set.to_string()}});
  }
  status.erase("bootstrap");
  if (recorded.bootstrap) status["bootstrap"] = member_ref(*recorded.bootstrap, names, "member");
  status.erase("currentPrimary");
  if (recorded.current_primary) status["currentPrimary"] = member_ref(*recorded.current_primary, names, "name");
  // What reports add to a failover lives as long as that failover.
  Json kept = status.value("failover", Json::object());
  status.erase("failover");
  if (!recorded.failover) return;
  if (!kept.is_object() || kept.value("id", Json()) != Json(recorded.failover->id)) kept = Json::object();
  kept.update(failover_json(*recorded.failover, names));
  status["failover"] = std::move(kept);
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
  Json conditions =
      conditions_json({condition("Ready", false, std::string(reason), std::string(message))}, written, generation, now);
  // The other conditions were judged before; nobody judges them now.
  for (const Json& entry : written.value("conditions", Json::array())) {
    if (entry.is_object() && entry.value("type", "") != "Ready") conditions.push_back(entry);
  }
  status["conditions"] = std::move(conditions);
  return status;
}

}  // namespace baton::reconcile
