// Relaxed durability on real servers: what it sets, what the end of mysqld takes back (nothing), and how it ends.

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/mysql/cluster.h"

namespace baton::test {
namespace {

using namespace std::chrono_literals;

class DurabilityTest : public Cluster {
 protected:
  void SetUp() override {
    Cluster::SetUp();
    make_replicated(1, 0);
  }
  [[nodiscard]] std::string settings() {
    return value(member(0), "SELECT CONCAT_WS(' ', @@global.sync_binlog, @@global.innodb_flush_log_at_trx_commit)");
  }
  [[nodiscard]] std::uint64_t status(const std::string& name) {
    return std::stoull(value(member(0), std::format("SELECT VARIABLE_VALUE FROM performance_schema.global_status"
                                                    " WHERE VARIABLE_NAME='{}'",
                                                    name)));
  }
  /// As a candidate is when it is restored.
  void close() { run(member(0), "SET GLOBAL super_read_only=ON"); }
};

using ReplicaDurabilityTest = Cluster;

TEST_F(DurabilityTest, IsRelaxedAndRestored) {
  ASSERT_FALSE(HasFatalFailure());
  auto& admin = *member(0).admin;
  EXPECT_EQ(settings(), "1 1");
  ASSERT_OK(admin.verify_durability(never_));
  ASSERT_OK(admin.relax_durability(never_));
  EXPECT_EQ(settings(), "100 2");
  const auto relaxed = state(member(0));
  EXPECT_EQ(relaxed.relaxed,
            (std::vector<std::string>{"sync_binlog is 100, not 1", "innodb_flush_log_at_trx_commit is 2, not 1"}));
  EXPECT_TRUE(relaxed.drift.empty());
  const auto refused = admin.verify_durability(never_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kRetry);
  EXPECT_TRUE(refused.error().what.contains("sync_binlog is 100")) << refused.error().what;

  run(member(0), "SET GLOBAL innodb_flush_log_at_timeout=2700");  // Nobody else syncs the redo log meanwhile.
  for (int i = 0; i < 50; ++i) run(member(0), "INSERT INTO app_db.t (note) VALUES ('relaxed')");
  close();
  const auto executed_before = executed(member(0));
  const auto written = status("Innodb_redo_log_current_lsn");
  const auto syncs = status("Innodb_os_log_fsyncs");
  ASSERT_OK(admin.restore_durability(never_));
  EXPECT_GT(status("Innodb_os_log_fsyncs"), syncs);
  // The server counts this now and then only.
  EXPECT_TRUE(eventually([&] { return status("Innodb_redo_log_flushed_to_disk_lsn") >= written; }));
  EXPECT_EQ(settings(), "1 1");
  ASSERT_OK(admin.verify_durability(never_));
  EXPECT_TRUE(state(member(0)).relaxed.empty());
  EXPECT_EQ(executed(member(0)), executed_before) << "it leaves no transaction of its own";
  ASSERT_OK(admin.restore_durability(never_));
}

/// Its source has died in the middle of a transaction, and an applier waits for the rest with its GTID in hand.
TEST_F(ReplicaDurabilityTest, IsRestoredAlthoughHalfATransactionNeverEnds) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& replica = member(1);
  ASSERT_OK(replica.admin->relax_durability(never_));
  constexpr std::uint8_t kWriteRows = 30;
  static_cast<void>(receive_half(kWriteRows, member(0), replica));
  ASSERT_FALSE(HasFailure());
  ASSERT_TRUE(eventually([&] { return value(replica, "SELECT @@global.gtid_owned") != ""; }));
  ASSERT_OK(replica.admin->stop_receiver(never_));
  ASSERT_OK(replica.admin->restore_durability(never_));
  EXPECT_NE(value(replica, "SELECT @@global.gtid_owned"), "") << "it is there still";
}

/// A reader's lock on a table or on a row holds up one applier, and that one the commits of all others.
TEST_F(ReplicaDurabilityTest, IsRestoredAlthoughAppliersWaitForAReader) {
  make_replicated(2, 0);
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  auto& replica = member(1);
  run(primary, "CREATE TABLE app_db.other (id INT PRIMARY KEY AUTO_INCREMENT)");
  run(primary, "INSERT INTO app_db.t (note) VALUES ('row')");
  ASSERT_TRUE(applied(replica, primary));
  for (const std::string lock : {"LOCK TABLES app_db.t READ", "SELECT * FROM app_db.t FOR SHARE"}) {
    SCOPED_TRACE(lock);
    ASSERT_OK(replica.admin->relax_durability(never_));
    auto reader = replica.server->connect();
    ASSERT_TRUE(reader);
    ASSERT_OK(reader->run({"BEGIN", lock}));
    run(primary, "UPDATE app_db.t SET note=CONCAT(note, '!')");
    for (int i = 0; i < 3; ++i) run(primary, "INSERT INTO app_db.other VALUES ()");
    ASSERT_TRUE(eventually([&] { return holds(replica, executed(primary)); }));
    ASSERT_TRUE(eventually([&] { return std::ranges::count(value(replica, "SELECT @@global.gtid_owned"), '#') > 1; }));
    ASSERT_OK(replica.admin->restore_durability(never_));
    EXPECT_FALSE(executed(replica).contains(executed(primary))) << "they wait still";
    ASSERT_OK(reader->run({"UNLOCK TABLES", "ROLLBACK"}));
    ASSERT_TRUE(applied(replica, primary));
  }
}

TEST_F(DurabilityTest, IsNotRestoredWhileACommitFromBeforeMayBeUnderWay) {
  ASSERT_FALSE(HasFatalFailure());
  auto& admin = *member(0).admin;
  ASSERT_OK(admin.relax_durability(never_));
  auto session = member(0).server->connect();
  ASSERT_TRUE(session);
  // As an applier: it owns its GTID from the beginning on.
  ASSERT_OK(session->run({"SET gtid_next='99999999-9999-9999-9999-999999999999:7'", "BEGIN",
                          "INSERT INTO app_db.t (note) VALUES ('long')"}));
  const auto waited = admin.restore_durability(never_);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::kRetry);
  EXPECT_TRUE(waited.error().what.contains("99999999-9999-9999-9999-999999999999:7")) << waited.error().what;
  EXPECT_EQ(settings(), "1 1") << "who begins after the wait does so with strict settings";
  std::jthread commit([&] { EXPECT_TRUE(session->run({"COMMIT"})); });
  EXPECT_TRUE(eventually([&] { return admin.restore_durability(never_).has_value(); }));
  EXPECT_EQ(settings(), "1 1");
}

TEST_F(DurabilityTest, TheEndOfMysqldTakesNoCommitBack) {
  ASSERT_FALSE(HasFatalFailure());
  auto& primary = member(0);
  ASSERT_OK(primary.admin->relax_durability(never_));
  std::atomic<int> committed = 0;
  std::vector<std::jthread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      auto session = primary.server->connect();
      while (session && session->run({"INSERT INTO app_db.t (note) VALUES ('kept')"})) ++committed;
    });
  }
  EXPECT_TRUE(eventually([&] { return committed > 2000; }));
  primary.server->kill();
  clients.clear();
  ASSERT_OK(primary.server->start());
  const int kept = std::stoi(value(primary, "SELECT COUNT(*) FROM app_db.t WHERE note='kept'"));
  EXPECT_GE(kept, committed);
  EXPECT_LE(kept, committed + 4) << "what was not answered may be there";
  EXPECT_EQ(settings(), "1 1") << "my.cnf knows nothing of it";
  // Tables and binary log agree: each insert is one transaction.
  const auto all = static_cast<int>(executed(primary).of_uuid(primary.uuid).size());
  EXPECT_GE(all, kept);
  run(primary, "SET GLOBAL super_read_only=OFF");
  run(primary, "SET GLOBAL read_only=OFF");
  run(primary, "INSERT INTO app_db.t (note) VALUES ('after')");
  EXPECT_EQ(static_cast<int>(executed(primary).of_uuid(primary.uuid).size()), all + 1);
}

/// What is gained; for people.
TEST_F(DurabilityTest, CostsOfCommits) {
  ASSERT_FALSE(HasFatalFailure());
  const auto thousand = [&] {
    return milliseconds_of([&] {
      std::vector<std::jthread> clients;
      for (int i = 0; i < 8; ++i) {
        clients.emplace_back([&] {
          auto session = member(0).server->connect();
          for (int j = 0; session && j < 125; ++j) {
            EXPECT_TRUE(session->run({"INSERT INTO app_db.t (note) VALUES ('x')"}));
          }
        });
      }
    });
  };
  thousand();
  const double strict = thousand();
  ASSERT_OK(member(0).admin->relax_durability(never_));
  const double relaxed = thousand();
  GTEST_LOG_(INFO) << std::format("1000 commits of 8 sessions: strict {:.0f} ms, relaxed {:.0f} ms", strict, relaxed);
}

}  // namespace
}  // namespace baton::test
