#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/base/result.h"
#include "sidecar/binlog/event.h"

namespace baton::binlog {

/// Finds where transactions begin and end in the events of a binary log. Pure; fed with every event in order.
///
///   log         = FORMAT_DESCRIPTION PREVIOUS_GTIDS { transaction | noise } [ ROTATE | STOP ]
///   transaction = gtid ( statement                            a DDL, XA COMMIT, XA ROLLBACK
///                      | payload                              a whole compressed transaction, its commit included
///                      | INCIDENT
///                      | begin { change } end )
///   gtid        = GTID | GTID_TAGGED | ANONYMOUS_GTID
///   begin       = QUERY "BEGIN" | QUERY "XA START …"
///   end         = XID | XA_PREPARE (XA COMMIT … ONE PHASE too) | QUERY "COMMIT" | QUERY "ROLLBACK"
///               | QUERY "XA ROLLBACK …"
///   change      = rows, table maps, any other QUERY (SAVEPOINT, ROLLBACK TO, XA END, …)
///   noise       = events that the flag IGNORABLE lets a reader pass; they may stand inside transactions too
///
/// Variables of the next statement (INTVAR, RAND, USER_VAR) stand before a statement or a change. As
/// Transaction_boundary_parser does it (libs/mysql/binlog/event/trx_boundary_parser.cpp, 9.x), but what that one only
/// warns of is an error here: a log that breaks the grammar cannot prove anything.
class TransactionTracker {
 public:
  enum class Effect : std::uint8_t {
    kNone,      ///< Outside of transactions, or somewhere inside of one.
    kBegan,     ///< This event is the first of a transaction.
    kComplete,  ///< This event is the last of a transaction.
  };

  /// `query` is the statement's beginning for QUERY (at least 16 bytes of it, where it has as many), else ignored.
  /// Errors: kCorrupt when the event cannot stand here; kUnsafe for an unknown event that must not be passed.
  [[nodiscard]] Result<Effect> feed(const EventHeader& header, std::string_view query);

  /// Forgets an open transaction: what is fed next stands outside of any.
  void drop() { state_ = State::kOutside; }

  /// Whether a transaction has begun and not ended.
  [[nodiscard]] bool is_open() const { return state_ != State::kOutside; }
  /// Whether it has said BEGIN or XA START.
  [[nodiscard]] bool is_inside() const { return state_ == State::kInside; }

 private:
  enum class State : std::uint8_t {
    kOutside,
    kIdentified,  ///< Behind the GTID: the next event says what kind of transaction it is.
    kInside,      ///< Behind BEGIN.
  };

  [[nodiscard]] Result<Effect> begin();
  [[nodiscard]] Result<Effect> feed_query(std::string_view query);
  [[nodiscard]] Result<Effect> complete_from(State needed, std::string_view what);
  [[nodiscard]] Result<Effect> inside_only(std::string_view what) const;
  [[nodiscard]] Result<Effect> outside_only(std::string_view what) const;

  State state_ = State::kOutside;
};

}  // namespace baton::binlog
