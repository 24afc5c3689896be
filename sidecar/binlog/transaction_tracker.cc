#include "sidecar/binlog/transaction_tracker.h"

namespace baton::binlog {

using Effect = TransactionTracker::Effect;

Result<Effect> TransactionTracker::feed(const EventHeader& header, std::string_view query) {
  switch (header.type) {
    case EventType::kGtid:
    case EventType::kGtidTagged:
    case EventType::kAnonymousGtid: return begin();
    case EventType::kQuery: return feed_query(query);
    case EventType::kXid: return complete_from(State::kInside, "XID");
    case EventType::kXaPrepare: return complete_from(State::kInside, "XA_PREPARE");
    case EventType::kTransactionPayload: return complete_from(State::kIdentified, "TRANSACTION_PAYLOAD");
    case EventType::kIncident:
      return is_open() ? complete_from(State::kIdentified, "INCIDENT") : Result<Effect>(Effect::kNone);
    case EventType::kIntvar:
    case EventType::kRand:
    case EventType::kUserVar:
      if (is_open()) return Effect::kNone;
      return fail(ErrorKind::kCorrupt, "a variable of a statement stands outside of a transaction");
    case EventType::kTableMap:
    case EventType::kWriteRows:
    case EventType::kUpdateRows:
    case EventType::kDeleteRows:
    case EventType::kPartialUpdateRows: return inside_only("a change of rows");
    case EventType::kAppendBlock:
    case EventType::kDeleteFile:
    case EventType::kBeginLoadQuery:
    case EventType::kExecuteLoadQuery: return inside_only("a part of LOAD DATA");
    case EventType::kViewChange: return inside_only("VIEW_CHANGE");
    case EventType::kRotate: return outside_only("ROTATE");
    case EventType::kStop: return outside_only("STOP");
    case EventType::kFormatDescription: return outside_only("FORMAT_DESCRIPTION");
    case EventType::kPreviousGtids: return outside_only("PREVIOUS_GTIDS");
    case EventType::kHeartbeat:
    case EventType::kHeartbeatV2:
    case EventType::kIgnorable:
    case EventType::kRowsQuery:
    case EventType::kTransactionContext: return Effect::kNone;
  }
  if ((header.flags & kFlagIgnorable) != 0) return Effect::kNone;
  return fail(ErrorKind::kUnsafe, "event type {} is not known and must not be passed; a newer server wrote it",
              std::to_underlying(header.type));
}

Result<Effect> TransactionTracker::begin() {
  if (is_open()) return fail(ErrorKind::kCorrupt, "a transaction begins before the one before it has ended");
  state_ = State::kIdentified;
  return Effect::kBegan;
}

Result<Effect> TransactionTracker::feed_query(std::string_view query) {
  if (!is_open()) return fail(ErrorKind::kCorrupt, "a statement stands outside of a transaction");
  if (query == "BEGIN" || query.starts_with("XA START")) {
    if (state_ == State::kInside) return fail(ErrorKind::kCorrupt, "BEGIN stands inside a transaction");
    state_ = State::kInside;
    return Effect::kNone;
  }
  const bool ends = query == "COMMIT" || (query.starts_with("ROLLBACK") && !query.starts_with("ROLLBACK TO "));
  if (ends) return complete_from(State::kInside, "COMMIT or ROLLBACK");
  if (query.starts_with("XA ROLLBACK")) return complete_from(state_, "XA ROLLBACK");
  if (state_ == State::kInside) return Effect::kNone;
  return complete_from(State::kIdentified, "a statement");
}

Result<Effect> TransactionTracker::complete_from(State needed, std::string_view what) {
  if (state_ != needed) {
    return fail(ErrorKind::kCorrupt, "{} stands {}", what,
                state_ == State::kOutside  ? "outside of a transaction"
                : state_ == State::kInside ? "behind BEGIN"
                                           : "in a transaction without BEGIN");
  }
  state_ = State::kOutside;
  return Effect::kComplete;
}

Result<Effect> TransactionTracker::inside_only(std::string_view what) const {
  if (state_ == State::kInside) return Effect::kNone;
  return fail(ErrorKind::kCorrupt, "{} stands outside of BEGIN and its end", what);
}

Result<Effect> TransactionTracker::outside_only(std::string_view what) const {
  if (!is_open()) return Effect::kNone;
  return fail(ErrorKind::kCorrupt, "{} stands inside a transaction", what);
}

}  // namespace baton::binlog
