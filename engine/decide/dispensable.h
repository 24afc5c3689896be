#pragma once

#include "engine/model/view.h"

namespace baton::engine {

/// Whether a crash of the candidate's node would cost nothing but time: without that member, and without what its node
/// keeps in memory only, the logs of the others are proven to be complete, one of the others could be promoted (a
/// person's neverPromote aside), and all of `target` would be saved. It is the election's own judgement, so that it
/// never contradicts the election that would come. `dead_log`: as for `assess`.
[[nodiscard]] bool dispensable(const View& view, const ObservedMember& candidate, const GtidSet& target,
                               const GtidSet* dead_log);

}  // namespace baton::engine
