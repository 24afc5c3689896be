#include "sidecar/binlog/transaction_tracker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace baton::binlog {
namespace {

/// Feeds events by name, separated by "; ". A name that is none is a statement. Gives "[" where a transaction begins,
/// "]" where it ends, "." for the rest, and the text of the first error.
std::string track(const std::string& script) {
  TransactionTracker tracker;
  std::string marks;
  std::size_t start = 0;
  while (start <= script.size()) {
    const std::size_t end = std::min(script.find("; ", start), script.size());
    const std::string name = script.substr(start, end - start);
    start = end + 2;
    EventHeader header;
    header.type = name == "gtid"        ? EventType::kGtid
                  : name == "tagged"    ? EventType::kGtidTagged
                  : name == "anonymous" ? EventType::kAnonymousGtid
                  : name == "rows"      ? EventType::kWriteRows
                  : name == "xid"       ? EventType::kXid
                  : name == "prepare"   ? EventType::kXaPrepare
                  : name == "payload"   ? EventType::kTransactionPayload
                  : name == "incident"  ? EventType::kIncident
                  : name == "variable"  ? EventType::kUserVar
                  : name == "rows text" ? EventType::kRowsQuery
                  : name == "rotate"    ? EventType::kRotate
                  : name == "newer"     ? static_cast<EventType>(99)
                  : name == "unknown"   ? static_cast<EventType>(99)
                                        : EventType::kQuery;
    if (name == "newer") header.flags = kFlagIgnorable;
    const auto effect = tracker.feed(header, name);
    if (!effect) return marks + " " + effect.error().what;
    marks += *effect == TransactionTracker::Effect::kBegan      ? '['
             : *effect == TransactionTracker::Effect::kComplete ? ']'
                                                                : '.';
  }
  return marks;
}

TEST(TransactionTracker, FindsEveryKindOfTransaction) {
  EXPECT_EQ(track("gtid; BEGIN; rows; rows; xid"), "[...]");
  EXPECT_EQ(track("tagged; BEGIN; rows; COMMIT"), "[..]");
  EXPECT_EQ(track("anonymous; BEGIN; rows; ROLLBACK"), "[..]");
  EXPECT_EQ(track("gtid; BEGIN; COMMIT"), "[.]");
  EXPECT_EQ(track("gtid; CREATE TABLE t (a INT)"), "[]");
  EXPECT_EQ(track("gtid; variable; DROP TABLE t"), "[.]");
  EXPECT_EQ(track("gtid; payload; gtid; payload"), "[][]");
  EXPECT_EQ(track("gtid; XA START x; rows; XA END x; prepare; gtid; XA COMMIT x"), "[...][]");
  EXPECT_EQ(track("gtid; XA START x; rows; XA END x; prepare; gtid; XA ROLLBACK x"), "[...][]");
  EXPECT_EQ(track("gtid; BEGIN; CREATE TABLE t (a INT) START TRANSACTION; rows; xid"), "[...]");
  EXPECT_EQ(track("gtid; incident; rotate"), "[].");
  EXPECT_EQ(track("incident"), ".");
}

TEST(TransactionTracker, SavepointsEndNothing) {
  EXPECT_EQ(track("gtid; BEGIN; rows; SAVEPOINT `a`; rows; ROLLBACK TO `a`; rows; xid"), "[......]");
}

TEST(TransactionTracker, IgnorableEventsStandAnywhere) {
  EXPECT_EQ(track("newer; gtid; newer; BEGIN; rows text; newer; rows; xid; newer"), ".[.....].");
}

TEST(TransactionTracker, WhatCannotStandThereIsAnError) {
  EXPECT_EQ(track("gtid; BEGIN; gtid"), "[. a transaction begins before the one before it has ended");
  EXPECT_EQ(track("gtid; gtid"), "[ a transaction begins before the one before it has ended");
  EXPECT_EQ(track("BEGIN"), " a statement stands outside of a transaction");
  EXPECT_EQ(track("gtid; BEGIN; BEGIN"), "[. BEGIN stands inside a transaction");
  EXPECT_EQ(track("gtid; COMMIT"), "[ COMMIT or ROLLBACK stands in a transaction without BEGIN");
  EXPECT_EQ(track("xid"), " XID stands outside of a transaction");
  EXPECT_EQ(track("gtid; xid"), "[ XID stands in a transaction without BEGIN");
  EXPECT_EQ(track("gtid; BEGIN; payload"), "[. TRANSACTION_PAYLOAD stands behind BEGIN");
  EXPECT_EQ(track("gtid; rows"), "[ a change of rows stands outside of BEGIN and its end");
  EXPECT_EQ(track("gtid; BEGIN; rotate"), "[. ROTATE stands inside a transaction");
  EXPECT_EQ(track("variable"), " a variable of a statement stands outside of a transaction");
  EXPECT_EQ(track("unknown"), " event type 99 is not known and must not be passed; a newer server wrote it");
}

}  // namespace
}  // namespace baton::binlog
