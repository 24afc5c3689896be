#pragma once

#include <string>

#include "engine/decide/decide.h"
#include "engine/decide/elect.h"
#include "engine/model/view.h"

namespace baton::engine {

// Each plan looks at the view and adds to the decision what is next: at most one record, at most one order a member.
// There is no stored plan: what is left is derived again from what is seen, so that a crash anywhere re-enters here.

/// No primary was ever recorded: make the first one, or adopt what lies on kept volumes.
void plan_bootstrap(const View& view, Decision& decision);
/// The primary is proven dead and no intent is recorded: record the intent, or let it come back and say why.
void plan_lost_primary(const View& view, const PrimarySight& sight, Decision& decision);
/// The primary starts, and no intent is recorded: leave it alone, or fence it when it cannot start and another can take
/// over.
void plan_starting_primary(const View& view, const PrimarySight& sight, Decision& decision);
/// Intent is recorded: revoke, judge, elect, converge, commit the choice.
void plan_failover(const View& view, const PrimarySight& sight, Decision& decision);
/// The primary is up: reopen or open it, size acks, move the endpoint, close the failover.
void plan_primary(const View& view, const PrimarySight& sight, Decision& decision);
/// Who may ack, and how many acks a commit waits for; the safe order of recording and doing. At most one change.
void plan_acks(const View& view, const ObservedMember& primary, Decision& decision);
/// Members other than the primary: clone, permit, attach, set aside.
void plan_replicas(const View& view, const ObservedMember& primary, Decision& decision);

/// Gives durability back to all that were relaxed and have no other order. A candidate that is to stay relaxed has one.
void restore_durability(const View& view, Decision& decision);

/// Adds an order unless this decision already has one for the same member: one at a time, the first is the most urgent.
void add_order(Decision& decision, Step step);
/// Proposes a record unless there is one already. Raises the revision.
void propose(Decision& decision, Recorded next, std::string why);
void set_state(Decision& decision, ClusterState state, std::string message);

/// How many transactions a replica may lack and still count as caught up: it catches up within the time that a stream
/// of state needs to say so, hence commits that wait for it wait for milliseconds.
inline constexpr std::uint64_t kCaughtUpBacklog = 5000;

}  // namespace baton::engine
