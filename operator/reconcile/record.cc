#include "operator/reconcile/record.h"

#include <algorithm>
#include <array>
#include <format>
#include <string_view>
#include <utility>

namespace baton::reconcile {
namespace {

constexpr std::array<std::pair<engine::FailoverPhase, std::string_view>, 2> kPhases = {
    {{engine::FailoverPhase::kRevoking, "Revoking"}, {engine::FailoverPhase::kOpening, "Opening"}}};

/// The fields that a record has always, and those that it has at times.
constexpr std::array<std::string_view, 7> kAlways = {"epoch", "revision",  "ackers", "effectiveAcks",
                                                     "floor", "everReady", "epochs"};
constexpr std::array<std::string_view, 4> kAtTimes = {"bootstrap", "currentPrimary", "failover", "mandatoryLog"};

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

GtidSet given_up_of(Strict& strict, const Json& json) {
  return json.is_object() && json.contains("givenUp") ? strict.gtids(json, "givenUp") : GtidSet();
}

engine::FailoverRecord failover_of(Strict& strict, const Json& json) {
  const Json& old_primary = strict.field(json, "oldPrimary");
  return {.id = strict.text(json, "id"),
          .old_primary = {.ordinal = strict.member(old_primary, "name"), .uuid = strict.uuid(old_primary)},
          .evidence = strict.text(json, "evidence"),
          .phase = strict.phase(json),
          .given_up = given_up_of(strict, json)};
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
  if (there("mandatoryLog")) recorded.mandatory_log = strict.text(status, "mandatoryLog");
  if (there("watermark")) recorded.watermark = strict.gtids(status, "watermark");
  for (const Json& acker : strict.list(status, "ackers")) {
    recorded.ackers.push_back({.ordinal = strict.member(acker, "member"),
                               .uuid = strict.uuid(acker),
                               .pod_uid = PodUid(strict.text(acker, "podUid")),
                               .boot_id = BootId(strict.text(acker, "bootId")),
                               .fsyncs = strict.flag(acker, "fsyncs")});
  }
  for (const Json& ended : strict.list(status, "epochs")) {
    recorded.epochs.push_back({.epoch = Epoch(strict.number(ended, "epoch")),
                               .uuid = strict.uuid(ended),
                               .final_set = strict.gtids(ended, "finalSet"),
                               .given_up = given_up_of(strict, ended)});
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
  status.erase("watermark");
  if (!recorded.watermark.empty()) status["watermark"] = recorded.watermark.to_string();
  status.erase("mandatoryLog");
  if (!recorded.mandatory_log.empty()) status["mandatoryLog"] = recorded.mandatory_log;
  status["ackers"] = Json::array();
  for (const engine::Identity& acker : recorded.ackers) {
    status["ackers"].push_back({{"member", names.pod(acker.ordinal)},
                                {"uuid", acker.uuid.get()},
                                {"podUid", acker.pod_uid.get()},
                                {"bootId", acker.boot_id.get()},
                                {"fsyncs", acker.fsyncs}});
  }
  status["epochs"] = Json::array();
  for (const engine::EndedEpoch& ended : recorded.epochs) {
    Json json = {{"epoch", ended.epoch.get()}, {"uuid", ended.uuid.get()}, {"finalSet", ended.final_set.to_string()}};
    if (!ended.given_up.empty()) json["givenUp"] = ended.given_up.to_string();
    status["epochs"].push_back(std::move(json));
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

}  // namespace baton::reconcile
