// Promotion by SQL, from a dead primary to the next acknowledged write.

#include <csignal>
#include <future>
#include <thread>

#include "tests/mysql/cluster.h"

namespace baton::test {
namespace {

using namespace std::chrono_literals;

class PromotionTest : public Cluster {
 protected:
  void expect_opens(Member& replica, const GtidSet& target) {
    Result<void> opened;
    const double took = milliseconds_of([&] { opened = replica.admin->open(never_, target); });
    ASSERT_TRUE(opened) << opened.error().what;
    GTEST_LOG_(INFO) << std::format("open: {:.1f} ms", took);
    EXPECT_LT(took, 5000);
    EXPECT_FALSE(state(replica).read_only);
    EXPECT_EQ(state(replica).channel, wire::Channel{});
  }
};

TEST_F(PromotionTest, OpenRefusesWhatIsNotWhole) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  run(replica, "STOP REPLICA SQL_THREAD");
  run(primary, "INSERT INTO app_db.t (note) VALUES ('late')");
  const auto target = executed(primary);
  ASSERT_OK(replica.admin->wait_received(never_, target, 5s));
  EXPECT_FALSE(executed(replica).contains(target));
  const auto foreign = GtidSet::parse("99999999-9999-9999-9999-999999999999:1").value();
  const auto late = replica.admin->wait_received(never_, foreign, 20ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().what, std::format("not received: {}", foreign.to_string()));
  ASSERT_OK(replica.admin->stop_receiver(never_));

  const auto missing = replica.admin->open(never_, target);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kUnsafe) << missing.error().what;
  EXPECT_TRUE(missing.error().what.contains(target.minus(executed(replica)).to_string())) << missing.error().what;
  // The last copy of a received transaction is kept even if the target does not name it.
  const auto unapplied = replica.admin->open(never_, executed(replica));
  ASSERT_FALSE(unapplied);
  EXPECT_EQ(unapplied.error().kind, ErrorKind::kUnsafe) << unapplied.error().what;
  EXPECT_TRUE(state(replica).super_read_only);

  const auto waited = replica.admin->wait_applied(never_, foreign, 50ms);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::kRetry);
  // Whose receiver is stopped waits for nothing.
  Result<void> received;
  EXPECT_LT(milliseconds_of([&] { received = replica.admin->wait_received(never_, foreign, 5s); }), 2500);
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().kind, ErrorKind::kRetry);
  EXPECT_TRUE(received.error().what.contains(foreign.to_string())) << received.error().what;
  run(replica, "STOP REPLICA SQL_THREAD");
  // Nobody else starts the applier of a candidate that has nothing to receive.
  ASSERT_OK(replica.admin->wait_applied(never_, target, 5s));
  ASSERT_OK(replica.admin->open(never_, target));
  const auto now = state(replica);
  EXPECT_FALSE(now.read_only);
  EXPECT_FALSE(now.super_read_only);
  EXPECT_EQ(now.channel, wire::Channel{});
  ASSERT_OK(replica.admin->open(never_, target));
}

/// A replica that received a commit while it sent no acks does not acknowledge it when it connects with acks later, as
/// one does not whose ack was lost with its connection.
TEST_F(PromotionTest, AHeartbeatFreesACommitWhoseAckWasLost) {
  make_replicated(2, 1);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  ASSERT_OK(follow(replica, primary, false));
  ASSERT_TRUE(eventually([&] { return state(primary).semi_sync.clients == 0; }));
  auto commit = std::async(std::launch::async, [&] { run(primary, "INSERT INTO app_db.t (note) VALUES ('waits')"); });
  ASSERT_TRUE(eventually([&] { return value(replica, "SELECT COUNT(*) FROM app_db.t WHERE note='waits'") == "1"; }));
  ASSERT_OK(follow(replica, primary, true));
  ASSERT_TRUE(eventually([&] { return state(primary).semi_sync.clients == 1; }));
  EXPECT_EQ(state(primary).semi_sync.waiting_sessions, 1);
  ASSERT_OK(primary.admin->write_heartbeat(never_));
  commit.get();
  EXPECT_EQ(state(primary).semi_sync.waiting_sessions, 0);
  ASSERT_TRUE(eventually([&] { return executed(replica) == executed(primary); }));

  // One that is not acknowledged waits for ever, too: there are not more and more of them.
  ASSERT_OK(follow(replica, primary, false));
  ASSERT_TRUE(eventually([&] { return state(primary).semi_sync.clients == 0; }));
  for (int round = 0; round < 3; ++round) {
    const auto unheard = primary.admin->write_heartbeat(never_);
    ASSERT_FALSE(unheard);
    EXPECT_EQ(unheard.error().kind, ErrorKind::kRetry) << unheard.error().what;
    EXPECT_EQ(state(primary).semi_sync.waiting_sessions, 1);
  }
  ASSERT_OK(follow(replica, primary, true));
  run(primary, "INSERT INTO app_db.t (note) VALUES ('frees it')");
  EXPECT_TRUE(eventually([&] { return state(primary).semi_sync.waiting_sessions == 0; }));
  const auto refused = replica.admin->write_heartbeat(never_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsafe);
}

/// The rest of it will never come, and the applier waits for it with the locks of what it has done so far.
TEST_F(PromotionTest, HalfATransactionHoldsNoLocksOnceItIsOpen) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  run(primary, "CREATE TABLE app_db.big (id INT PRIMARY KEY, content LONGTEXT)");
  const auto whole = executed(primary);
  ASSERT_TRUE(eventually([&] { return executed(replica).contains(whole); }));
  const auto before = bytes_of_relay_logs(replica);
  auto writing = std::async(std::launch::async, [&] {
    return primary.server->connect()->run(
        {"INSERT INTO app_db.big WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
         " SELECT i, REPEAT('x', 1000000) FROM n"});
  });
  // 100 MB; the primary dies when some have come.
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  const auto some_came = [&] { return bytes_of_relay_logs(replica) >= before + 5'000'000; };
  while (!some_came() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  primary.server->kill();
  static_cast<void>(writing.get());
  const auto locks = [&] { return value(replica, "SELECT COUNT(*) FROM performance_schema.data_locks"); };
  ASSERT_TRUE(eventually([&] { return locks() != "0"; })) << "the applier has begun it";
  ASSERT_OK(replica.admin->stop_receiver(never_));
  ASSERT_EQ(executed(replica), whole) << "it came whole: the primary died too late";
  Result<void> opened;
  const double took = milliseconds_of([&] { opened = replica.admin->open(never_, whole); });
  ASSERT_TRUE(opened) << opened.error().what;
  GTEST_LOG_(INFO) << std::format("open: {:.1f} ms", took);
  EXPECT_EQ(locks(), "0");
  auto session = client(replica, kUser, passwords_.application);
  ASSERT_TRUE(session) << session.error().text;
  EXPECT_TRUE(session->run(never_, "INSERT INTO app_db.big VALUES (1, 'mine')"));
}

/// Of some the coordinator alone knows, since it gives nothing to a worker before it has seen what is changed.
TEST_F(PromotionTest, AnOpeningDoesNotWaitForTheRestOfATransaction) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  const std::pair<std::uint8_t, const char*> last_events[] = {
      {33, "GTID"}, {2, "QUERY, which is BEGIN"}, {19, "TABLE_MAP"}, {30, "WRITE_ROWS"}};
  for (const auto& [type, name] : last_events) {
    SCOPED_TRACE(name);
    run(replica, "SET GLOBAL super_read_only=ON");
    const GtidSet whole = receive_half(type, primary, replica);
    ASSERT_FALSE(HasFailure());
    ASSERT_OK(replica.admin->stop_receiver(never_));
    expect_opens(replica, whole);
    ASSERT_FALSE(HasFailure());
  }
}

/// As mysqlsh does, for as long as its dump takes.
TEST_F(PromotionTest, AnOpeningDoesNotWaitForABackup) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& replica = member(1);
  auto backup = replica.server->connect();
  ASSERT_TRUE(backup);
  ASSERT_TRUE(backup->run({"LOCK INSTANCE FOR BACKUP"}));
  ASSERT_OK(replica.admin->stop_receiver(never_));
  expect_opens(replica, executed(member(0)));
  EXPECT_TRUE(backup->run({"UNLOCK INSTANCE"}));
}

TEST_F(PromotionTest, OfAKilledPrimary) {
  make_replicated(3, 1);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& candidate = member(1);
  auto& other = member(2);
  for (int i = 0; i < 20; ++i) run(primary, "INSERT INTO app_db.t (note) VALUES ('acked')");
  const auto acked = executed(primary);
  // One ack is enough, which may have come from the other.
  ASSERT_OK(candidate.admin->wait_received(never_, acked, 5s));
  primary.server->kill();

  std::vector<std::pair<std::string, double>> steps;
  const auto step = [&](const std::string& name, const std::function<Result<void>()>& call) {
    Result<void> done;
    steps.emplace_back(name, milliseconds_of([&] { done = call(); }));
    EXPECT_TRUE(done) << name << ": " << (done ? "" : done.error().what);
  };
  GtidSet target;
  const auto stop_receiver = [&](Member& member) -> Result<void> {
    TRY(received, member.admin->stop_receiver(never_));
    target = target.united(received).united(executed(member));
    return {};
  };
  step("stop_receiver of the candidate", [&] { return stop_receiver(candidate); });
  step("stop_receiver of the other", [&] { return stop_receiver(other); });
  EXPECT_TRUE(target.contains(acked));
  // The dead primary's address answers nobody: the candidate gets what it misses from the other, here nothing.
  step("wait_applied", [&] {
    Result<void> done;
    // On a busy machine one wait may be too short.
    static_cast<void>(
        eventually([&] { return (done = candidate.admin->wait_applied(never_, target, 5s)).has_value(); }));
    return done;
  });
  step("set_ack_count", [&] { return candidate.admin->set_ack_count(never_, 1); });
  step("follow of the other", [&] { return follow(other, candidate, true); });
  step("wait_ackers", [&] { return candidate.admin->wait_ackers(never_, 1, 5s); });
  step("open", [&] { return candidate.admin->open(never_, target); });
  auto session = client(candidate, kUser, passwords_.application);
  ASSERT_TRUE(session) << session.error().text;
  step("first acknowledged write",
       [&] { return session->run(never_, "INSERT INTO app_db.t (note) VALUES ('first')"); });
  double sum = 0;
  for (const auto& [name, took] : steps) {
    GTEST_LOG_(INFO) << std::format("{:>32}: {:6.1f} ms", name, took);
    sum += took;
  }
  GTEST_LOG_(INFO) << std::format("{:>32}: {:6.1f} ms", "promotion, one step after another", sum);

  EXPECT_EQ(value(candidate, "SELECT COUNT(*) FROM app_db.t WHERE note='acked'"), "20");
  EXPECT_TRUE(state(candidate).semi_sync.source_active);
  EXPECT_TRUE(eventually([&] { return value(other, "SELECT COUNT(*) FROM app_db.t WHERE note='first'") == "1"; }));

  // The old primary comes back closed, and follows.
  ASSERT_OK(primary.server->start());
  EXPECT_TRUE(state(primary).super_read_only);
  ASSERT_OK(candidate.admin->ensure_replication_account(never_, primary.uuid, passwords_));
  ASSERT_OK(follow(primary, candidate, true));
  EXPECT_TRUE(eventually([&] { return executed(primary).contains(executed(candidate)); }));
  EXPECT_EQ(state(primary).channel.receiver_error, "");
}

}  // namespace
}  // namespace baton::test
