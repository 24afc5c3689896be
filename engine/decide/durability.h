#pragma once

#include <string>
#include <vector>

#include "engine/model/view.h"

namespace baton::engine {

/// The arithmetic on which "nothing acknowledged is lost" rests. A: recorded ackers; W: acks that a commit needs; R:
/// the members of A whose receivers are stopped and whose logs were read after that. A dead mysqld receives nothing,
/// and its sidecar reads its logs: it counts like any other. One whose durability is relaxed counts when it is
/// restored.
///
/// Proof 1. With W >= 1, |R| > |A| - W, and acks that were waited for all the time (why_own_log_needed):
///   every transaction acknowledged since the last change of A or W was received by at least W members of A; at most
///   |A| - |R| < W of them are outside R, so R holds it. Every earlier one is in the recorded floor, which the target
///   must contain. And the |A| - |R| members outside R are too few for a commit: the old primary acknowledges nothing
///   more. So R's logs are complete, and commits are fenced, by the same set.
///
/// Proof 2. The old primary's mysqld is dead, its start is held at this epoch, and its binlog was read to the end: that
///   one log holds everything acknowledged, whatever the replicas say.
struct LogQuorum {
  std::vector<Identity> counted;     ///< R
  std::vector<std::string> missing;  ///< One sentence for each member of A outside R.
  bool proof_by_quorum = false;
  bool proof_by_dead_log = false;
  GtidSet logs;  ///< The union that the proof is about: of R under proof 1, else the dead log.

  [[nodiscard]] bool proven() const { return proof_by_quorum || proof_by_dead_log; }
};

/// Why the primary's own log is mandatory although commits wait for acks, so that only proof 2 will do: a sentence's
/// beginning. It was shut down while it was open (mysqld tells waiting clients OK: semisync_source.cc, "Forced
/// shutdown"), or the record says that acks were not to be relied on. Empty: it is not.
[[nodiscard]] std::string why_own_log_needed(const View& view);

/// Whether receivers must have been stopped by an order of the recorded epoch, and durability restored, or only could
/// be.
enum class Revocation : std::uint8_t { kDone, kAssumed };

/// Sums up R and says which proof holds. `dead_log`: the dead primary's whole log, if it may be used; else null.
[[nodiscard]] LogQuorum log_quorum(const View& view, Revocation revocation, const GtidSet* dead_log);

/// Whether a member sends acks to the old primary no more, and cannot begin again but by an order of this epoch: an
/// order of the recorded epoch reached its sidecar (older ones are refused from then on), and its receiver is stopped
/// or turned to another source, or its mysqld is dead and its start is held.
[[nodiscard]] bool revoked(const View& view, const ObservedMember& member);

/// Whether the present member may stand for a recorded identity: same incarnation; same pod, or the earlier pod's end
/// was reported by its kubelet; same boot of the node, or acks are fsynced. On refusal `why` gets a sentence.
[[nodiscard]] bool stands_for(const View& view, const ObservedMember& member, const Identity& identity,
                              std::string& why);

}  // namespace baton::engine
