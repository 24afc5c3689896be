#include "operator/reconcile/timeline.h"

#include <algorithm>

namespace baton::reconcile {

bool Timeline::reach(std::string_view name, WallTime at) {
  if (std::ranges::contains(phases, name, &Phase::name)) return false;
  phases.push_back({.name = std::string(name), .at = rfc3339(at)});
  return true;
}

bool ends_failover(const engine::Recorded& before, const engine::Recorded& after) {
  return before.failover && (!after.failover || after.failover->id != before.failover->id);
}

Timeline ended(const Timeline& seen, const engine::Recorded& before, const api::Names& names,
               const std::string& started_at, WallTime at) {
  const engine::FailoverRecord& failover = *before.failover;
  Timeline result = seen;
  if (seen.id != failover.id) {
    result = {.id = failover.id,
              .from = names.pod(failover.old_primary.ordinal),
              .to = {},
              .reason = failover.evidence,
              .started_at = started_at,
              .finished_at = {},
              .target = {},
              .given_up = failover.given_up.to_string(),
              .phases = {}};
    if (failover.phase == engine::FailoverPhase::kOpening && before.current_primary) {
      result.to = names.pod(before.current_primary->ordinal);
      result.target = before.floor.to_string();
    }
  }
  result.finished_at = rfc3339(at);
  return result;
}

void TimelineKeeper::begin(const engine::Recorded& recorded, const api::Names& names, WallTime decided) {
  receiver_stopped_.reset();
  timeline_ = {.id = recorded.failover->id,
               .from = names.pod(recorded.failover->old_primary.ordinal),
               .to = {},
               .reason = recorded.failover->evidence,
               .started_at = rfc3339(decided),
               .finished_at = {},
               .target = {},
               .given_up = {},
               .phases = {}};
}

std::vector<std::string> TimelineKeeper::record_written(const engine::Recorded& before, const engine::Recorded& after,
                                                        const api::Names& names, std::optional<WallTime> detected,
                                                        WallTime decided, WallTime written) {
  std::vector<std::string> reached;
  const auto reach = [&](std::string_view name, WallTime at) {
    if (timeline_.reach(name, at)) reached.emplace_back(name);
  };
  if (after.failover && timeline_.id != after.failover->id) {
    begin(after, names, decided);
    if (detected) reach("detected", *detected);
    reach("decided", decided);
    reach("recorded", written);
  }
  const bool chosen = after.failover && after.failover->phase == engine::FailoverPhase::kOpening;
  const bool known = before.failover && before.failover->phase == engine::FailoverPhase::kOpening;
  if (chosen && !known) {
    if (receiver_stopped_) reach("revoked", *receiver_stopped_);
    if (after.current_primary) timeline_.to = names.pod(after.current_primary->ordinal);
    timeline_.target = after.floor.to_string();
    timeline_.given_up = after.failover->given_up.to_string();
    reach("chosen", written);
  }
  const bool over = before.failover && !after.failover && before.failover->id == timeline_.id;
  // As the record's own write told it.
  if (over && timeline_.finished_at.empty()) timeline_.finished_at = rfc3339(decided);
  return reached;
}

std::vector<std::string> TimelineKeeper::step_succeeded(const engine::Step& step, WallTime at) {
  if (timeline_.id.empty()) return {};
  if (std::holds_alternative<engine::StopReceiver>(step) && timeline_.to.empty()) receiver_stopped_ = at;
  if (timeline_.to.empty()) return {};
  if (std::holds_alternative<engine::Open>(step) && timeline_.reach("opened", at)) return {"opened"};
  if (std::holds_alternative<engine::Repoint>(step) && timeline_.reach("repointed", at)) return {"repointed"};
  return {};
}

}  // namespace baton::reconcile
