// What read_state says, and what it costs.

#include <algorithm>
#include <thread>

#include "tests/mysql/cluster.h"

namespace baton::test {
namespace {

using sidecar::Session;

class StateTest : public Cluster {};

TEST_F(StateTest, OfAFreshServerHasNoDrift) {
  make_members(1);
  const auto now = state(member(0));
  EXPECT_TRUE(now.version.starts_with("9.") || now.version.starts_with("8.4")) << now.version;
  EXPECT_TRUE(now.read_only);
  EXPECT_TRUE(now.super_read_only);
  EXPECT_EQ(now.gtid_executed, "");
  EXPECT_EQ(now.drift, std::vector<std::string>{});
  EXPECT_EQ(now.relaxed, std::vector<std::string>{});
  EXPECT_EQ(now.channel, wire::Channel{});
  EXPECT_EQ(now.semi_sync, (wire::SemiSync{.wait_for_count = 1}));
  EXPECT_FALSE(now.fsyncs_relay_log);
}

TEST_F(StateTest, NamesEachDrift) {
  make_members(1);
  run(member(0), "SET GLOBAL sync_binlog=0");
  run(member(0), "SET GLOBAL innodb_flush_log_at_trx_commit=2");
  run(member(0), "SET GLOBAL binlog_error_action=IGNORE_ERROR");
  run(member(0), "SET GLOBAL innodb_doublewrite=DETECT_ONLY");
  run(member(0), "SET GLOBAL rpl_semi_sync_source_timeout=10000");
  run(member(0), "SET GLOBAL rpl_semi_sync_source_wait_point=AFTER_COMMIT");
  run(member(0), "SET GLOBAL rpl_semi_sync_source_wait_no_replica=OFF");
  run(member(0), "SET GLOBAL local_infile=ON");
  run(member(0), "SET GLOBAL sync_relay_log=1");
  const auto now = state(member(0));
  EXPECT_TRUE(now.fsyncs_relay_log) << "no drift: it is a choice of the spec";
  EXPECT_EQ(now.relaxed,
            (std::vector<std::string>{"sync_binlog is 0, not 1", "innodb_flush_log_at_trx_commit is 2, not 1"}));
  EXPECT_EQ(now.drift,
            (std::vector<std::string>{
                "binlog_error_action is IGNORE_ERROR, not ABORT_SERVER", "innodb_doublewrite is DETECT_ONLY, not ON",
                "rpl_semi_sync_source_wait_point is AFTER_COMMIT, not AFTER_SYNC",
                "rpl_semi_sync_source_timeout is 10000, not 1000000000000000",
                "rpl_semi_sync_source_wait_no_replica is OFF, not ON", "local_infile is ON, not OFF"}));
  run(member(0), "SET GLOBAL super_read_only=OFF");
  run(member(0), "UNINSTALL PLUGIN rpl_semi_sync_source");
  const auto without = state(member(0));
  EXPECT_TRUE(std::ranges::contains(without.drift, "rpl_semi_sync_source_wait_point is missing"));
  EXPECT_TRUE(std::ranges::contains(without.relaxed, "sync_binlog is 0, not 1"));
}

TEST_F(StateTest, CostsLittle) {
  make_replicated(2, 1);
  ASSERT_FALSE(HasFatalFailure());
  const auto median = [&](Member& one) {
    std::vector<double> times;
    for (int i = 0; i < 201; ++i) times.push_back(milliseconds_of([&] { EXPECT_TRUE(one.admin->read_state(never_)); }));
    std::ranges::sort(times);
    GTEST_LOG_(INFO) << std::format("read_state: median {:.2f} ms, 99th percentile {:.2f} ms", times[100], times[198]);
    return times[100];
  };
  EXPECT_LT(median(member(0)), 10.0);
  EXPECT_LT(median(member(1)), 10.0);
  std::vector<Session> clients;
  for (int i = 0; i < 200; ++i) {
    auto session = client(member(0), kUser, passwords_.application);
    ASSERT_TRUE(session) << session.error().text;
    clients.push_back(*std::move(session));
  }
  GTEST_LOG_(INFO) << "with 200 client connections:";
  EXPECT_LT(median(member(0)), 20.0);
}

TEST_F(StateTest, RowsOfATransactionThatIsBeingAppliedAreProgress) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  run(primary, "INSERT INTO app_db.t (id, note) VALUES (1000, 'locked on the replica')");
  ASSERT_TRUE(eventually([&] { return executed(replica).contains(executed(primary)); }));
  EXPECT_EQ(state(replica).channel.rows_in_progress, 0);
  auto holder = replica.server->connect();
  auto writer = primary.server->connect();
  ASSERT_TRUE(holder && writer);
  ASSERT_TRUE(holder->query("BEGIN") && holder->query("SELECT * FROM app_db.t WHERE id=1000 FOR SHARE"));
  for (const char* statement : {"BEGIN", "INSERT INTO app_db.t (note) VALUES ('a'), ('b'), ('c')",
                                "UPDATE app_db.t SET note='waits' WHERE id=1000", "COMMIT"}) {
    ASSERT_TRUE(writer->query(statement)) << statement;
  }
  EXPECT_TRUE(eventually([&] { return state(replica).channel.rows_in_progress >= 3; }));
  ASSERT_TRUE(holder->query("ROLLBACK"));
  EXPECT_TRUE(eventually([&] { return state(replica).channel.rows_in_progress == 0; }));
}

TEST_F(StateTest, TransactionsThatWaitForAcksAreOwned) {
  make_replicated(2, 1);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  const auto executed_before = executed(primary);
  const auto received = member(1).admin->stop_receiver(never_);
  ASSERT_TRUE(received) << received.error().what;
  std::jthread writer(
      [&] { static_cast<void>(primary.server->query("INSERT INTO app_db.t (note) VALUES ('waits')")); });
  EXPECT_TRUE(eventually([&] { return state(primary).semi_sync.waiting_sessions == 1; }));
  const auto now = state(primary);
  EXPECT_EQ(now.gtid_executed, executed_before.to_string());
  const auto owned = GtidSet::parse(now.gtid_owned);
  ASSERT_TRUE(owned);
  EXPECT_EQ(owned->size(), 1U) << now.gtid_owned;
  EXPECT_TRUE(now.semi_sync.source_active);

  // An account that a missing acker waits for must not wait for an ack itself: it would keep the acker from logging in.
  const double took = milliseconds_of([&] {
    ASSERT_OK(primary.admin->ensure_replication_account(never_, "11111111-2222-3333-4444-555555555555", passwords_));
  });
  EXPECT_LT(took, 2000);
  EXPECT_EQ(primary.admin->ensure_application_account(never_, "b", "b", passwords_).error().kind, ErrorKind::kRetry);
  EXPECT_EQ(state(primary).gtid_owned, now.gtid_owned) << "it is refused before it begins";
  ASSERT_OK(follow(member(1), primary, true));
  writer.join();
  EXPECT_TRUE(executed(primary).contains(*owned));
  EXPECT_EQ(state(primary).gtid_owned, "");
}

}  // namespace
}  // namespace baton::test
