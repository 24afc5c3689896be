#pragma once

#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "engine/plan/step.h"
#include "operator/ports/ports.h"

namespace baton {

/// One member as orders need it.
struct PlanMember {
  SidecarAddress at;
  ServerUuid uuid;  ///< Of its data directory as last heard; empty if never heard.
};

/// The steps of one decision, with all that carrying them out needs. A plain value.
struct Plan {
  Epoch epoch;  ///< Of the recorded state that the decision was made from.
  Revision revision;
  std::vector<PlanMember> members;
  std::string database;  ///< bootstrap.database and bootstrap.user of the resource.
  std::string user;
  std::vector<engine::Step> steps;

  [[nodiscard]] const PlanMember* member(Ordinal ordinal) const;
};

/// Who may carry out steps side by side: there is one step in flight per member and lane.
enum class Lane : std::uint8_t {
  kOrder,     ///< Orders to a sidecar.
  kFence,     ///< A fence overtakes whatever its member is busy with.
  kEndpoint,  ///< The primary Service.
  kLabel,     ///< The pod's role label.
};
[[nodiscard]] Lane lane_of(const engine::Step& step);

/// The order that a step stands for. Addresses and uuids come from the plan. Errors: kTerminal when the plan does not
/// know them, or when the step is none for a sidecar.
[[nodiscard]] Result<wire::Order> order_of(const engine::Step& step, const Plan& plan);

/// The longest time that carrying a step out may take.
[[nodiscard]] Duration deadline_of(const engine::Step& step);

/// Text that two steps share exactly if they ask for the same.
[[nodiscard]] std::string identity_of(const engine::Step& step, const Plan& plan);

}  // namespace baton
