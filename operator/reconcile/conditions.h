#pragma once

#include <string>
#include <vector>

#include "engine/decide/decide.h"
#include "operator/reconcile/report.h"

/// What a report says in status.conditions. Pure.
namespace baton::reconcile {

/// One entry of status.conditions, without its times.
struct Condition {
  std::string type;
  std::string status;  ///< True | False | Unknown.
  std::string reason;  ///< CamelCase.
  std::string message;
};

/// Whether clients write to a cluster in that state.
[[nodiscard]] bool takes_writes(engine::ClusterState state);

[[nodiscard]] std::vector<Condition> conditions_of(const Report& report);

}  // namespace baton::reconcile
