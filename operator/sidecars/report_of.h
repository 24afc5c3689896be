#pragma once

#include "engine/base/result.h"
#include "engine/model/observed.h"
#include "sidecar/wire/member_state.h"

namespace baton {

/// A sidecar's line, as it came and as decisions read it.
struct HeardLine {
  wire::MemberState state;
  engine::Report report;
};

/// Reads a line for decisions: enums and GTID texts become values. A text that `previous` (may be null) had as well is
/// not parsed again. Pure. Errors: kCorrupt with the field whose GTID set could not be read.
[[nodiscard]] Result<HeardLine> heard_line(wire::MemberState state, const HeardLine* previous);

/// Whether two lines say the same, apart from their number.
[[nodiscard]] bool same_content(const wire::MemberState& a, const wire::MemberState& b);
/// Whether they differ at most in what moves with every commit: GTID sets and sessions that wait for acks.
[[nodiscard]] bool same_apart_from_progress(const wire::MemberState& a, const wire::MemberState& b);
/// Whether both have a server that answers, which has received (also in part) and executed the same.
[[nodiscard]] bool same_progress(const wire::MemberState& a, const wire::MemberState& b);
/// The same, parts not counted: a receiver that is turned to another source begins anew.
[[nodiscard]] bool same_sets(const wire::MemberState& a, const wire::MemberState& b);
/// Whether both have a server that answers, whose channel points to the same source.
[[nodiscard]] bool same_source(const wire::MemberState& a, const wire::MemberState& b);
/// Whether the member is a replica that sends acks: receiver connected, semi-sync on.
[[nodiscard]] bool acking(const wire::MemberState& state);

}  // namespace baton
