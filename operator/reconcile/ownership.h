#pragma once

#include <string_view>

#include "engine/base/result.h"
#include "operator/ports/ports.h"

namespace baton::reconcile {

/// Whether an object of the API server is the cluster's to change: it bears the cluster's label, or an owner reference
/// to a cluster of that name. The name is enough, so that what a deleted resource left behind is taken up when it is
/// applied again. Errors: kUnsafe, with what a person can do. Pure.
[[nodiscard]] Result<void> check_ours(const Object& object, std::string_view kind, std::string_view cluster);

}  // namespace baton::reconcile
