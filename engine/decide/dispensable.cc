#include "engine/decide/dispensable.h"

#include <algorithm>

#include "engine/decide/elect.h"

namespace baton::engine {
namespace {

/// What is left of a member on the node that crashed: a replica's binlogs are on disk, its relay logs may not be. A
/// primary has no relay logs.
void lose_memory(const View& view, ObservedMember& member) {
  Report& report = *member.report;
  const bool was_primary = view.recorded.current_primary && report.uuid == view.recorded.current_primary->uuid;
  const bool fsyncs = std::ranges::any_of(
      view.recorded.ackers, [&](const Identity& acker) { return acker.uuid == report.uuid && acker.fsyncs; });
  report.boot_id = BootId{};
  if (was_primary || fsyncs) return;
  report.dead_log.reset();
  if (report.server) report.server->channel.retrieved = GtidSet{};
  report.servable = report.server ? report.servable.intersected(report.server->executed) : GtidSet{};
}

}  // namespace

bool dispensable(const View& view, const ObservedMember& candidate, const GtidSet& target, const GtidSet* dead_log) {
  Spec anybody = view.spec;
  anybody.candidates.clear();
  ObservedCluster others = view.observed;
  for (ObservedMember& member : others.members) {
    if (!member.report) continue;
    // One that is relaxed itself is nothing to rely on.
    if (member.ordinal == candidate.ordinal || member.report->relaxed) member.heard = false;
    if (member.report->boot_id == candidate.report->boot_id) lose_memory(view, member);
  }
  const Assessment rest = assess({anybody, view.recorded, others, view.now}, Revocation::kDone, dead_log);
  return rest.quorum.proven() && rest.possible() && rest.target.contains(target);
}

}  // namespace baton::engine
