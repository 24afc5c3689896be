#include "engine/plan/plans.h"

#include <algorithm>
#include <utility>

namespace baton::engine {

void add_order(Decision& decision, Step step) {
  const Ordinal member = member_of(step);
  const bool taken = std::ranges::any_of(decision.steps, [&](const Step& other) {
    return member_of(other) == member && !std::holds_alternative<Repoint>(other) &&
           !std::holds_alternative<LabelRole>(other);
  });
  if (!taken) decision.steps.push_back(std::move(step));
}

void restore_durability(const View& view, Decision& decision) {
  for (const ObservedMember& member : view.observed.members) {
    const bool able = server_of(member) != nullptr && member.report->relaxed;
    if (able) add_order(decision, SetDurability{.on = member.ordinal, .relaxed = false});
  }
}

void propose(Decision& decision, Recorded next, std::string why) {
  if (decision.record) return;
  next.revision = Revision{next.revision.get() + 1};
  decision.record = RecordChange{.next = std::move(next), .why = std::move(why)};
}

void set_state(Decision& decision, ClusterState state, std::string message) {
  decision.state = state;
  decision.message = std::move(message);
}

}  // namespace baton::engine
