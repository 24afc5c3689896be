#pragma once

#include <chrono>

#include "operator/base/clock.h"
#include "operator/ports/cluster_key.h"

namespace baton::test {

/// The cluster that tests are about, when one is enough.
inline const ClusterKey kShop{"default", "shop"};
/// Where time stands when a test sets it by hand.
inline constexpr Instant kStart{std::chrono::hours(1)};
/// No test waits so long unless it fails.
inline constexpr auto kBound = std::chrono::seconds(20);

}  // namespace baton::test
