#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/model/observed.h"
#include "engine/model/recorded.h"
#include "engine/model/spec.h"
#include "engine/plan/step.h"

namespace baton::engine {

/// The cluster's state. Names equal the headings of engine/README.md and status.state, which knows one more: Held, by
/// which the operator says that it could not read the resource and asked for no decision.
enum class ClusterState : std::uint8_t {
  kPending,         ///< No member has been heard yet.
  kBootstrapping,   ///< The first primary is being made; nothing was ever open.
  kHealthy,         ///< Open, all members replicate.
  kDegraded,        ///< Open, some member is missing or not as wanted.
  kWaitingForAcks,  ///< Open, but commits wait: fewer ackers are connected than a commit needs.
  kOpening,         ///< The primary is chosen and not open yet.
  kFailingOver,     ///< Intent recorded, receivers being stopped, logs judged.
  kFailoverHeld,    ///< The primary is lost and no plan is safe; message says what is missing.
  kReopening,       ///< The old primary is coming back in place.
  kPrimaryUnknown,  ///< The primary is silent, which proves nothing: no promotion.
  kAmbiguous,       ///< Data without a record, and not one history: a person must choose.
};
[[nodiscard]] std::string_view name_of(ClusterState state);

/// One thing that is not as wanted, with a sentence that a person can act on.
struct Finding {
  std::string code;  ///< CamelCase: usable as condition reason and event reason.
  std::optional<Ordinal> member;
  std::string sentence;
};

/// A new record and why; compare-and-set, durable before any step of the same decision.
struct RecordChange {
  Recorded next;
  std::string why;
};

/// Whether the loss of the primary's pod and volume, now, would end in a failover without refusal.
struct Readiness {
  bool ready = false;
  std::string reason;  ///< CamelCase.
  std::string sentence;
};

/// What became of each member in the election, in order of rank.
struct Ballot {
  Ordinal member;
  bool eligible = false;
  std::string sentence;  ///< Why it won, ranks behind, or cannot be promoted.
};

/// Per member, for status.
struct MemberView {
  Ordinal ordinal;
  std::string role;          ///< Primary | Replica | None: it has no source, or does not answer.
  std::string reachability;  ///< Up | Starting | DownProven | Unknown.
  GtidSet errant;
  std::string message;  ///< Empty if as wanted.
};

struct Decision {
  ClusterState state = ClusterState::kPending;
  std::string message;  ///< One sentence for status.message.
  std::optional<RecordChange> record;
  std::vector<Step> steps;  ///< All may run at once. Decide again whenever one is done or something new is heard.
  std::vector<Finding> findings;
  std::vector<Ballot> ballots;
  std::vector<MemberView> members;
  Readiness readiness;
  int members_wanted = 0;             ///< The StatefulSet's replicas: members that still matter are not scaled away.
  bool force_spent = false;           ///< ObservedCluster::forced is of no use, or not any more: to be taken back.
  std::optional<Instant> look_again;  ///< A moment at which time alone changes the answer.
};

/// The only entry point: what to do about a cluster. Pure: same arguments, same answer; no clock, no I/O.
[[nodiscard]] Decision decide(const Spec& spec, const Recorded& recorded, const ObservedCluster& observed, Instant now);

}  // namespace baton::engine
