#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/decide/decide.h"
#include "engine/decide/durability.h"
#include "engine/model/view.h"

namespace baton::engine {

/// What a failover would do, or why there is none.
struct Assessment {
  std::optional<Ordinal> winner;
  GtidSet target;    ///< What the winner must have applied before it opens.
  GtidSet given_up;  ///< What should be in the target and is in no log that can be read: only if a person forced it.
  LogQuorum quorum;
  std::vector<Ballot> ballots;
  std::string code;      ///< Of the refusal (a finding's code), empty if there is a winner.
  std::string sentence;  ///< Why, in either case.

  [[nodiscard]] bool possible() const { return winner.has_value(); }
};

/// What is to be saved: all that some log can send, or only what the proof asks for.
enum class Salvage : std::uint8_t { kAll, kNeeded };

/// Judges the logs and elects. Judge: target = the proof's logs, and of what else is known to exist what some log can
/// send, less what is errant; it must contain the floor and the watermark. A person's word (force-failover) stands in
/// for the proof and for what is missing. Elect: members that hold the whole target or can fetch what
/// they lack of it, are not errant and not forbidden, ranked by: already followed by another (so that a repeated
/// election does not waver), least foregone, priority, least to fetch, smallest backlog, lowest ordinal. The target
/// grows by what the winner holds beyond it.
[[nodiscard]] Assessment assess(const View& view, Revocation revocation, const GtidSet* dead_log,
                                Salvage salvage = Salvage::kAll);

/// Whose logs the candidate should fetch `missing` from: the source that it is fetching from as long as that one sends
/// something and does not fail, else the one that can send most. Null when nobody can send any of it.
[[nodiscard]] const ObservedMember* source_of(const View& view, const ObservedMember& candidate, const GtidSet& missing,
                                              const GtidSet* dead_log);

/// FailoverReady: `assess` with the primary's pod and volume taken away.
[[nodiscard]] Readiness readiness(const View& view);

/// What a member holds that the cluster's history does not, given a primary that can be asked; empty for a good one.
/// A replica may be ahead of its primary's executed set under AFTER_SYNC, so the primary's own uuid never counts.
[[nodiscard]] GtidSet errant_against(const Server& replica, const Server& primary, const ServerUuid& primary_uuid);

}  // namespace baton::engine
