// The replication channel: following, swapping the receiver, acks, and who may be connected.

#include <algorithm>
#include <csignal>
#include <thread>

#include "tests/mysql/cluster.h"

namespace baton::test {
namespace {

using namespace std::chrono_literals;
using sidecar::Session;
using wire::Thread;

class ChannelTest : public Cluster {
 protected:
  void insert(const Member& primary, int rows = 1) {
    for (int i = 0; i < rows; ++i) run(primary, "INSERT INTO app_db.t (note) VALUES ('row')");
  }
  std::string rows_of(const Member& member) { return value(member, "SELECT COUNT(*) FROM app_db.t"); }
};

TEST_F(ChannelTest, AcksAreSwitchedByFollow) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  auto now = state(replica);
  EXPECT_EQ(now.channel.receiver, Thread::kRunning) << now.channel.receiver_error;
  EXPECT_EQ(now.channel.applier, Thread::kRunning) << now.channel.applier_error;
  EXPECT_EQ(now.channel.source_uuid, primary.uuid);
  EXPECT_FALSE(now.semi_sync.replica_active);
  EXPECT_EQ(state(primary).dump_threads, (std::vector<wire::DumpThread>{{replica.uuid, "127.0.0.1"}}));
  EXPECT_EQ(value(replica, "SELECT SSL_ALLOWED FROM performance_schema.replication_connection_configuration"), "YES");

  ASSERT_OK(follow(replica, primary, true));
  EXPECT_TRUE(eventually([&] { return state(replica).semi_sync.replica_active; }));
  ASSERT_OK(primary.admin->wait_ackers(never_, 1, 5s));
  ASSERT_OK(primary.admin->set_ack_count(never_, 1));
  EXPECT_TRUE(state(primary).semi_sync.source_active);
  insert(primary);
  EXPECT_TRUE(applied(replica, primary));

  // The same again changes nothing: the receiver's connection stays.
  const std::string dump =
      "SELECT MAX(PROCESSLIST_ID) FROM performance_schema.threads WHERE PROCESSLIST_COMMAND LIKE 'Binlog%'";
  const auto connection = value(primary, dump);
  const double again = milliseconds_of([&] { ASSERT_OK(follow(replica, primary, true)); });
  EXPECT_EQ(value(primary, dump), connection);
  GTEST_LOG_(INFO) << std::format("follow that changes nothing: {:.1f} ms", again);

  ASSERT_OK(primary.admin->set_ack_count(never_, 0));
  const double off = milliseconds_of([&] { ASSERT_OK(follow(replica, primary, false)); });
  GTEST_LOG_(INFO) << std::format("follow that switches acks off: {:.1f} ms", off);
  EXPECT_FALSE(state(replica).semi_sync.replica_active);
  // The source counts the acker until it notices that the connection has ended.
  EXPECT_TRUE(eventually([&] {
    const auto missing = primary.admin->wait_ackers(never_, 1, 20ms);
    return !missing && missing.error().kind == ErrorKind::kRetry;
  }));
}

TEST_F(ChannelTest, TheWrongServerIsNotFollowed) {
  make_replicated(3, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto order = follow_order(member(0), false);
  order.source_uuid = "11111111-2222-3333-4444-555555555555";
  const auto wrong = member(1).admin->follow(never_, order, passwords_);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::kUnsafe) << wrong.error().what;
  EXPECT_EQ(state(member(1)).channel.receiver, Thread::kStopped);
  EXPECT_EQ(follow(member(0), member(1), false).error().kind, ErrorKind::kUnsafe);  // Open for writes.
  EXPECT_EQ(follow(member(1), member(1), false).error().kind, ErrorKind::kUnsafe);
}

TEST_F(ChannelTest, AccountsOfAReplicaMakeNoErrantTransaction) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& replica = member(1);
  ASSERT_TRUE(applied(replica, member(0)));
  const auto before = executed(replica);
  constexpr const char* kOther = "11111111-2222-3333-4444-555555555555";
  ASSERT_OK(replica.admin->ensure_replication_account(never_, kOther, passwords_));
  ASSERT_OK(replica.admin->allow_clone(never_, true));
  ASSERT_OK(replica.admin->allow_clone(never_, false));
  ASSERT_OK(replica.admin->set_passwords(never_, passwords_));
  EXPECT_TRUE(std::ranges::contains(state(replica).replication_accounts, wire::ReplicationAccount{kOther, false}));
  EXPECT_EQ(replica.admin->ensure_application_account(never_, "other", "other", passwords_).error().kind,
            ErrorKind::kUnsafe);
  EXPECT_EQ(executed(replica).to_string(), before.to_string());
  EXPECT_EQ(value(replica, "SELECT @@super_read_only"), "1");
  // Made on the primary later: the replica, which has it, is not disturbed.
  ASSERT_OK(member(0).admin->ensure_replication_account(never_, kOther, passwords_));
  ASSERT_TRUE(applied(replica, member(0)));
  EXPECT_EQ(state(replica).channel.applier_error, "");
}

TEST_F(ChannelTest, ASwapKeepsRelayLogs) {
  make_replicated(3, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  ASSERT_TRUE(applied(member(2), primary));
  // The applier hangs behind a lock; what comes after it is only in relay logs.
  auto blocker = replica.server->connect();
  ASSERT_TRUE(blocker);
  ASSERT_TRUE(blocker->query("LOCK INSTANCE FOR BACKUP"));
  auto table_lock = replica.server->connect();
  ASSERT_TRUE(table_lock->query("LOCK TABLES app_db.t READ"));
  insert(primary, 20);
  const auto wanted = executed(primary);
  ASSERT_TRUE(eventually([&] { return holds(replica, wanted); }));

  const double stop_took = milliseconds_of([&] {
    const auto received = replica.admin->stop_receiver(never_);
    ASSERT_TRUE(received) << received.error().what;
    EXPECT_TRUE(received->united(executed(replica)).contains(wanted));
  });
  primary.server->kill();
  const double swap_took = milliseconds_of([&] { ASSERT_OK(follow(replica, member(2), false)); });
  GTEST_LOG_(INFO) << std::format("stop_receiver {:.1f} ms, follow to another source {:.1f} ms", stop_took, swap_took);
  EXPECT_TRUE(holds(replica, wanted));

  // Stopped by a person, with everything unapplied: follow starts it before it changes the source.
  run(replica, "STOP REPLICA IO_THREAD");
  ASSERT_TRUE(table_lock->query("UNLOCK TABLES"));
  ASSERT_TRUE(blocker->query("UNLOCK INSTANCE"));
  ASSERT_OK(replica.admin->wait_applied(never_, wanted, 5s));
  EXPECT_EQ(rows_of(replica), "20");
}

TEST_F(ChannelTest, AStoppedApplierIsStartedBeforeTheSourceIsChanged) {
  make_replicated(3, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  ASSERT_TRUE(applied(replica, primary));
  ASSERT_TRUE(applied(member(2), primary));
  run(replica, "STOP REPLICA SQL_THREAD");
  insert(primary, 10);
  const auto wanted = executed(primary);
  ASSERT_TRUE(eventually([&] { return holds(replica, wanted); }));
  const auto received = replica.admin->stop_receiver(never_);
  ASSERT_TRUE(received);
  ASSERT_OK(member(2).admin->stop_receiver(never_));
  ASSERT_OK(follow(replica, member(2), false));
  ASSERT_OK(replica.admin->wait_applied(never_, wanted, 5s));
  EXPECT_EQ(rows_of(replica), "10");
}

TEST_F(ChannelTest, ABrokenApplierKeepsItsRelayLogs) {
  make_replicated(3, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  insert(primary, 3);
  ASSERT_TRUE(applied(replica, primary));
  // A row that is missing here stops the applier for good (1032).
  run(replica, "SET GLOBAL super_read_only=OFF");
  auto session = replica.server->connect();
  ASSERT_OK(session->run({"SET sql_log_bin=0", "DELETE FROM app_db.t WHERE id=2"}));
  run(primary, "DELETE FROM app_db.t WHERE id=2");
  insert(primary, 5);
  const auto wanted = executed(primary);
  ASSERT_TRUE(eventually([&] { return state(replica).channel.applier == Thread::kStopped && holds(replica, wanted); }));
  const auto refused = follow(replica, member(2), false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsafe) << refused.error().what;
  EXPECT_TRUE(holds(replica, wanted));
  // Acks of the same source can still be switched: that purges nothing.
  for (const bool acks : {true, false}) {
    ASSERT_OK(follow(replica, primary, acks));
    EXPECT_TRUE(eventually([&] { return state(replica).semi_sync.replica_active == acks; }));
  }
  const auto open = replica.admin->open(never_, GtidSet());
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().kind, ErrorKind::kUnsafe) << open.error().what;
  EXPECT_TRUE(holds(replica, wanted));
}

TEST_F(ChannelTest, ExpelledReplicasAndStrangersAreGone) {
  make_replicated(3, 1);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  const double took = milliseconds_of([&] { ASSERT_OK(primary.admin->expel_replica(never_, member(1).uuid)); });
  GTEST_LOG_(INFO) << std::format("expel_replica: {:.1f} ms", took);
  auto now = state(primary);
  EXPECT_EQ(now.dump_threads, (std::vector<wire::DumpThread>{{member(2).uuid, "127.0.0.1"}}));
  EXPECT_EQ(now.semi_sync.clients, 1);
  EXPECT_TRUE(std::ranges::contains(now.replication_accounts, wire::ReplicationAccount{member(1).uuid, true}));
  EXPECT_TRUE(eventually([&] { return !state(member(1)).channel.receiver_error.empty(); }));
  EXPECT_TRUE(eventually([&] { return state(member(1)).channel.receiver_error.contains("locked"); }));
  // Not binlogged: the other replica's copy of the account is as it was.
  EXPECT_TRUE(
      std::ranges::contains(state(member(2)).replication_accounts, wire::ReplicationAccount{member(1).uuid, false}));
  ASSERT_OK(primary.admin->expel_replica(never_, member(1).uuid));
  ASSERT_OK(primary.admin->ensure_replication_account(never_, member(1).uuid, passwords_));
  ASSERT_OK(primary.admin->wait_ackers(never_, 2, 5s));

  auto killed = primary.admin->kill_strangers(never_, {member(1).uuid, member(2).uuid});
  ASSERT_TRUE(killed) << killed.error().what;
  EXPECT_EQ(*killed, std::vector<wire::DumpThread>{});
  killed = primary.admin->kill_strangers(never_, {member(2).uuid});
  ASSERT_TRUE(killed) << killed.error().what;
  EXPECT_EQ(*killed, (std::vector<wire::DumpThread>{{member(1).uuid, "127.0.0.1"}}));

  // Who logs in as another only claims to be who it says.
  const std::string account = sidecar::replication_account(member(1).uuid);
  run(member(2), "STOP REPLICA IO_THREAD");
  run(member(2), std::format("CHANGE REPLICATION SOURCE TO SOURCE_USER='{}'", account));
  run(member(2), "START REPLICA IO_THREAD");
  ASSERT_TRUE(eventually([&] {
    const std::string dumps = std::format(
        "SELECT COUNT(*) FROM performance_schema.threads JOIN performance_schema.user_variables_by_thread"
        " USING (THREAD_ID) WHERE PROCESSLIST_USER='{}' AND PROCESSLIST_COMMAND LIKE 'Binlog Dump%'"
        " AND VARIABLE_NAME='replica_uuid' AND CONVERT(VARIABLE_VALUE USING utf8mb4)='{}'",
        account, member(2).uuid);
    return value(primary, dumps) == "1";
  }));
  killed = primary.admin->kill_strangers(never_, {member(1).uuid, member(2).uuid});
  ASSERT_TRUE(killed) << killed.error().what;
  EXPECT_EQ(*killed, (std::vector<wire::DumpThread>{{member(2).uuid, "127.0.0.1"}}));

  // The count before the switch: semi-sync is never on with another one.
  ASSERT_OK(primary.admin->set_ack_count(never_, 0));
  run(primary, "SET GLOBAL log_output='TABLE', GLOBAL general_log=ON");
  ASSERT_OK(primary.admin->set_ack_count(never_, 2));
  EXPECT_EQ(value(primary,
                  "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log"
                  " WHERE argument LIKE 'SET GLOBAL rpl_semi_sync_source%' ORDER BY event_time LIMIT 1"),
            "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=2");
}

TEST_F(ChannelTest, StateIsReadWhileAReceiverIsSlowToStop) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  member(0).server->send_signal(SIGSTOP);
  // The heartbeat stays away for replica_net_timeout, then the receiver redials a server that never answers.
  EXPECT_TRUE(eventually([&] { return state(member(1)).channel.receiver == Thread::kConnecting; }));
  std::jthread stopper([&] {
    const double took = milliseconds_of([&] { EXPECT_TRUE(member(1).admin->stop_receiver(never_)); });
    GTEST_LOG_(INFO) << std::format("stop_receiver of a receiver that redials: {:.0f} ms", took);
  });
  double slowest = 0;
  EXPECT_TRUE(eventually([&] {
    wire::Sql now;
    slowest = std::max(slowest, milliseconds_of([&] { now = state(member(1)); }));
    return now.channel.receiver == Thread::kStopped;
  }));
  GTEST_LOG_(INFO) << std::format("slowest read_state meanwhile: {:.1f} ms", slowest);
  member(0).server->send_signal(SIGCONT);
}

}  // namespace
}  // namespace baton::test
