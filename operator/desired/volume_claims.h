#pragma once

#include <optional>
#include <string_view>

#include "operator/api/mysql_cluster.h"

namespace baton::desired {

/// The merge patch that lets a member's claim grow to spec.storage.size; nothing if it is that large already, or if one
/// of the sizes cannot be read. A StatefulSet's claim template cannot be changed, so growth goes to each claim.
[[nodiscard]] std::optional<api::Json> claim_growth(const api::Cluster& cluster, const api::Json& claim);

/// A quantity's value: "10Gi", "1.5G", "1e9", "500m". Grammar: k8s.io/apimachinery/pkg/api/resource/quantity.go.
[[nodiscard]] std::optional<long double> parse_quantity(std::string_view text);

}  // namespace baton::desired
