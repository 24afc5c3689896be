#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/ids.h"

namespace baton::reconcile {

/// Where a primary Service points.
struct Endpoint {
  std::string pod;  ///< Empty: nowhere yet.
  Epoch epoch;      ///< Whose primary that is; 0 if nothing is noted.
};
[[nodiscard]] Endpoint endpoint_of(const nlohmann::json& service);

}  // namespace baton::reconcile
