// Accounts: who exists, who may do what, and what goes into the binlog.

#include <algorithm>
#include <future>

#include "tests/mysql/cluster.h"

namespace baton::test {
namespace {

using sidecar::Session;

constexpr const char* kReplicaUuid = "11111111-2222-3333-4444-555555555555";

class AccountsTest : public Cluster {
 protected:
  void SetUp() override {
    Cluster::SetUp();
    make_members(1);
  }
};

TEST_F(AccountsTest, AreMadeOnceOnAClosedServer) {
  auto& one = member(0);
  EXPECT_EQ(value(one, "SELECT @@super_read_only"), "1");
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(one.admin->bootstrap_accounts(never_, passwords_));
    ASSERT_OK(one.admin->ensure_replication_account(never_, kReplicaUuid, passwords_));
    ASSERT_OK(one.admin->ensure_application_account(never_, "my_app", "app", passwords_));
  }
  EXPECT_EQ(value(one, "SELECT @@super_read_only"), "1");
  EXPECT_EQ(value(one, "SELECT @@read_only"), "1");
  // Binlogged: 3 statements of the clone account, 3 of the replication account, 4 of the application's.
  EXPECT_EQ(executed(one).to_string(), one.uuid + ":1-10");
  EXPECT_EQ(sidecar::replication_account(kReplicaUuid), "baton_r_111111112222333344445555");
  EXPECT_EQ(value(one, "SELECT GROUP_CONCAT(User ORDER BY User) FROM mysql.user WHERE Host='%'"),
            "app,baton_clone,baton_r_111111112222333344445555");
  const auto now = state(one);
  EXPECT_TRUE(now.app_account);
  EXPECT_FALSE(now.clone_unlocked);
  EXPECT_EQ(now.replication_accounts, (std::vector<wire::ReplicationAccount>{{kReplicaUuid, false}}));
  ASSERT_OK(one.admin->allow_clone(never_, true));
  EXPECT_TRUE(state(one).clone_unlocked);
  ASSERT_OK(one.admin->allow_clone(never_, false));
  EXPECT_FALSE(state(one).clone_unlocked);

  EXPECT_EQ(one.admin->ensure_application_account(never_, "mysql", "app2", passwords_).error().kind,
            ErrorKind::kTerminal);
  EXPECT_EQ(one.admin->ensure_application_account(never_, "a", "baton_x", passwords_).error().kind,
            ErrorKind::kTerminal);
  EXPECT_EQ(one.admin->ensure_replication_account(never_, "x", passwords_).error().kind, ErrorKind::kTerminal);
}

TEST_F(AccountsTest, HaveNoMorePrivilegesThanTheyNeed) {
  auto& one = member(0);
  ASSERT_OK(one.admin->bootstrap_accounts(never_, passwords_));
  ASSERT_OK(one.admin->ensure_replication_account(never_, kReplicaUuid, passwords_));
  ASSERT_OK(one.admin->ensure_application_account(never_, "my_app", "app", passwords_));
  ASSERT_OK(one.admin->allow_clone(never_, true));
  ASSERT_OK(one.admin->open(never_, GtidSet()));
  EXPECT_EQ(value(one, "SHOW GRANTS FOR baton_clone"), "GRANT USAGE ON *.* TO `baton_clone`@`%`");
  EXPECT_EQ(value(one, "SELECT GROUP_CONCAT(PRIV) FROM mysql.global_grants WHERE USER LIKE 'baton%' OR USER='app'"),
            "BACKUP_ADMIN");
  run(one, "CREATE DATABASE myXapp");

  auto app = client(one, "app", passwords_.application);
  ASSERT_TRUE(app) << app.error().text;
  ASSERT_OK(app->run(never_, "CREATE TABLE my_app.t (i INT PRIMARY KEY)"));
  ASSERT_OK(app->run(never_, "INSERT INTO my_app.t VALUES (1)"));
  // Otherwise the server would quietly take InnoDB.
  ASSERT_OK(app->run(never_, "SET SESSION sql_mode='NO_ENGINE_SUBSTITUTION'"));
  for (const char* refused :
       {"SHUTDOWN", "SET GLOBAL max_connections=10", "SET SESSION sql_log_bin=0", "STOP REPLICA",
        "SET GLOBAL read_only=ON", "RESET BINARY LOGS AND GTIDS", "CREATE USER x", "CREATE DATABASE y",
        "SET SESSION gtid_next='11111111-2222-3333-4444-555555555555:1'", "FLUSH TABLES WITH READ LOCK",
        "SELECT User FROM mysql.user", "CREATE TABLE myXapp.t (i INT)", "CLONE LOCAL DATA DIRECTORY='/tmp/x'",
        "SET PERSIST sync_binlog=0", "KILL 1", "CREATE TABLE my_app.m (i INT) ENGINE=MyISAM"}) {
    EXPECT_FALSE(app->run(never_, refused)) << refused;
  }
  auto replica = client(one, sidecar::replication_account(kReplicaUuid), passwords_.replication);
  ASSERT_TRUE(replica) << replica.error().text;
  EXPECT_FALSE(replica->run(never_, "SELECT * FROM my_app.t"));
  EXPECT_FALSE(replica->run(never_, "SHUTDOWN"));
}

TEST_F(AccountsTest, OfBatonNeedTls) {
  auto& one = member(0);
  ASSERT_OK(one.admin->bootstrap_accounts(never_, passwords_));
  ASSERT_OK(one.admin->ensure_replication_account(never_, kReplicaUuid, passwords_));
  for (const std::string& user : {sidecar::replication_account(kReplicaUuid), std::string(sidecar::kCloneAccount)}) {
    EXPECT_EQ(value(one, "SELECT ssl_type FROM mysql.user WHERE User='" + user + "'"), "ANY") << user;
  }
  // Locked until a clone runs.
  const auto locked = client(one, sidecar::kCloneAccount, passwords_.clone);
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().number, 3118U) << locked.error().text;
  EXPECT_FALSE(locked.error().text.contains(passwords_.clone));
}

TEST_F(AccountsTest, NewPasswordsHoldBesideTheOldOnes) {
  auto& one = member(0);
  ASSERT_OK(one.admin->ensure_replication_account(never_, kReplicaUuid, passwords_));
  ASSERT_OK(one.admin->ensure_application_account(never_, "a", "app", passwords_));
  ASSERT_OK(one.admin->set_passwords(never_, {.replication = "new1", .clone = "new2", .application = "new3"}));
  for (const std::string& password : {passwords_.application, std::string("new3")}) {
    EXPECT_TRUE(client(one, "app", password)) << password;
  }
  EXPECT_TRUE(client(one, sidecar::replication_account(kReplicaUuid), "new1"));
  EXPECT_FALSE(client(one, "app", "new1"));
}

/// A lock that somebody holds keeps super_read_only from being set again.
TEST_F(AccountsTest, ADoorThatCouldNotBeClosedIsShownAndClosedLater) {
  auto& one = member(0);
  ASSERT_OK(one.admin->ensure_application_account(never_, "a", "app", passwords_));
  run(one, "SET GLOBAL super_read_only=OFF");
  run(one, "CREATE TABLE a.t (i INT PRIMARY KEY)");
  run(one, "SET GLOBAL super_read_only=ON");
  auto backup = one.server->connect();
  auto writer = one.server->connect();
  ASSERT_TRUE(backup && writer);
  // The account statement waits for it, with the door open.
  ASSERT_OK(backup->run({"LOCK INSTANCE FOR BACKUP"}));
  auto order = std::async(std::launch::async,
                          [&] { return one.admin->ensure_replication_account(never_, kReplicaUuid, passwords_); });
  ASSERT_TRUE(eventually([&] { return value(one, "SELECT @@super_read_only") == "0"; }));
  constexpr const char* kDrift = "super_read_only is OFF, not ON";
  EXPECT_FALSE(std::ranges::contains(state(one).drift, kDrift)) << "it is meant to be";
  ASSERT_OK(writer->run({"LOCK TABLES a.t WRITE"}));
  ASSERT_OK(backup->run({"UNLOCK INSTANCE"}));
  const auto done = order.get();
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().what.contains("super_read_only could not be set again")) << done.error().what;
  EXPECT_TRUE(std::ranges::contains(state(one).drift, kDrift));
  EXPECT_FALSE(one.admin->close_again(never_));
  ASSERT_OK(writer->run({"UNLOCK TABLES"}));
  ASSERT_OK(one.admin->close_again(never_));
  EXPECT_EQ(value(one, "SELECT @@super_read_only"), "1");
  EXPECT_FALSE(std::ranges::contains(state(one).drift, kDrift));
  run(one, "SET GLOBAL super_read_only=OFF");
  ASSERT_OK(one.admin->close_again(never_));
  EXPECT_EQ(value(one, "SELECT @@super_read_only"), "0") << "what a person opened is shown, and not closed";
  EXPECT_TRUE(std::ranges::contains(state(one).drift, kDrift));
}

/// Which did not live to close it.
TEST_F(AccountsTest, ADoorThatAnEarlierSidecarLeftOpenIsClosedOnce) {
  auto& one = member(0);
  const auto sidecar = [&] { return sidecar::ServerAdmin(library(), {.socket = one.server->socket(), .ca = ca()}); };
  run(one, "SET GLOBAL super_read_only=OFF");
  auto next = sidecar();
  ASSERT_OK(next.close_again(never_));
  EXPECT_EQ(value(one, "SELECT @@super_read_only"), "1");
  run(one, "SET GLOBAL super_read_only=OFF");
  ASSERT_OK(next.close_again(never_));
  EXPECT_EQ(value(one, "SELECT @@super_read_only"), "0") << "opened by a person since";
  ASSERT_OK(one.admin->open(never_, GtidSet()));
  auto last = sidecar();
  ASSERT_OK(last.close_again(never_));
  EXPECT_EQ(value(one, "SELECT @@read_only OR @@super_read_only"), "0") << "a primary stays open";
}

/// With every start of mysqld and of the sidecar the Secret's passwords are given anew.
TEST_F(AccountsTest, APasswordThatIsGivenAgainLeavesTheOneBeforeItValid) {
  auto& one = member(0);
  ASSERT_OK(one.admin->ensure_replication_account(never_, kReplicaUuid, passwords_));
  ASSERT_OK(one.admin->ensure_application_account(never_, "a", "app", passwords_));
  const std::string replica = sidecar::replication_account(kReplicaUuid);
  const sidecar::Passwords next{.replication = "new1", .clone = "new2", .application = "new3"};
  for (int start = 0; start < 2; ++start) {
    ASSERT_OK(one.admin->set_passwords(never_, next));
    for (const std::string& password : {passwords_.application, next.application}) {
      EXPECT_TRUE(client(one, "app", password)) << password << " after start " << start;
    }
    EXPECT_TRUE(client(one, replica, passwords_.replication)) << start;
    one.server->kill();
    ASSERT_OK(one.server->start());
  }
  // Nor does an account that is there already get the mark of a password that it has not got.
  const sidecar::Passwords third{.replication = "third1", .clone = "third2", .application = "third3"};
  ASSERT_OK(one.admin->expel_replica(never_, kReplicaUuid));
  ASSERT_OK(one.admin->ensure_replication_account(never_, kReplicaUuid, third));
  EXPECT_FALSE(client(one, replica, third.replication));
  ASSERT_OK(one.admin->set_passwords(never_, third));
  for (const std::string& password : {next.replication, third.replication}) {
    EXPECT_TRUE(client(one, replica, password)) << password;
  }
  EXPECT_FALSE(client(one, replica, passwords_.replication)) << "two are enough";
  EXPECT_EQ(value(one, "SELECT COUNT(*) FROM mysql.user WHERE CAST(User_attributes AS CHAR) LIKE '%third%'"), "0");
}

}  // namespace
}  // namespace baton::test
