#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "operator/api/mysql_cluster.h"
#include "operator/reconcile/report.h"

/// What people read in the resource's status. Pure.
namespace baton::reconcile {

using api::Json;

/// The status after a report: everything but the record, which stays as it is in `before`. lastTransitionTime changes
/// only with a condition's status.
[[nodiscard]] Json put_report(const Json& before, const Report& report);

/// The status of a resource that cannot be acted upon (unreadable spec or status): state, message and Ready; what else
/// was written stays.
[[nodiscard]] Json put_hold(Json before, std::int64_t generation, std::string_view reason, std::string_view message,
                            std::string_view now);

}  // namespace baton::reconcile
