#pragma once

#include <nlohmann/json.hpp>

#include "engine/base/result.h"
#include "engine/model/recorded.h"
#include "operator/api/mysql_cluster.h"

/// Between the record that decisions rest on and the part of the resource's status that keeps it. Pure.
namespace baton::reconcile {

using api::Json;

/// Reads the record. A status without any of its fields is an empty record; one with some of them must have all, so
/// that a half-written or edited status is never taken for a smaller promise. Errors: kCorrupt, naming the field.
[[nodiscard]] Result<engine::Recorded> recorded_of(const Json& status, const api::Names& names);

/// Writes the record into a status, beside what else is there. recorded_of gives back an equal one.
void put_recorded(Json& status, const engine::Recorded& recorded, const api::Names& names);

}  // namespace baton::reconcile
