#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/decide/decide.h"
#include "engine/model/observed.h"
#include "engine/model/recorded.h"
#include "operator/api/mysql_cluster.h"
#include "operator/reconcile/timeline.h"

/// Between the record that decisions rest on and the resource's status. Pure.
namespace baton::reconcile {

using api::Json;

/// Reads the record. A status without any of its fields is an empty record; one with some of them must have all, so
/// that a half-written or edited status is never taken for a smaller promise. Errors: kCorrupt, naming the field.
[[nodiscard]] Result<engine::Recorded> recorded_of(const Json& status, const api::Names& names);

/// Writes the record into a status, beside what else is there. recorded_of gives back an equal one.
void put_recorded(Json& status, const engine::Recorded& recorded, const api::Names& names);

/// One entry of status.conditions, without its times.
struct Condition {
  std::string type;
  std::string status;  ///< True | False | Unknown.
  std::string reason;  ///< CamelCase.
  std::string message;
};

/// What a report is made of.
struct Report {
  const api::Cluster& cluster;
  const engine::Recorded& recorded;
  const engine::Decision& decision;
  const engine::ObservedCluster& observed;
  const Timeline& timeline;
  /// What the API server or the resource itself is in the way of: an object that was refused, a record that could not
  /// be written. The first is shown as the reason of Ready.
  const std::vector<engine::Finding>& obstacles;
  std::string now;  ///< RFC 3339.
  bool fresh_sets;  ///< Write GTID sets and watermark anew; else the written ones stay.
};

[[nodiscard]] std::vector<Condition> conditions_of(const Report& report);

/// The status after a report: everything but the record, which stays as it is in `before`. lastTransitionTime changes
/// only with a condition's status.
[[nodiscard]] Json put_report(const Json& before, const Report& report);

/// The status of a resource that cannot be acted upon (unreadable spec or status): state, message and Ready; what else
/// was written stays.
[[nodiscard]] Json put_hold(Json before, std::int64_t generation, std::string_view reason, std::string_view message,
                            std::string_view now);

}  // namespace baton::reconcile
