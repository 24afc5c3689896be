#include "tests/sidecar/pod.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <future>
#include <sstream>

#include "engine/gtid/gtid_set.h"
#include "sidecar/local/process_watch.h"

/// A whole member without Kubernetes: real gate, real sidecar, real mysqld.
namespace baton::test {
namespace {

using std::chrono::milliseconds;
using wire::Directory;
using wire::Hold;
using wire::MemberState;
using wire::Process;

bool is_relaxed(const MemberState& state) { return state.relaxed; }

/// The answer to an order that is refused; empty if it is not.
std::string refusal(Pod& pod, const wire::Command& command) {
  const auto answer = pod.give(command);
  return answer ? answer->error_kind : answer.error().what;
}

/// A primary whose next commit waits for an ack that nobody sends; the answer that its client gets in the end.
std::future<bool> begin_waiting_commit(Pod& pod) {
  auto setup = pod.sql();
  EXPECT_TRUE(setup.run({"CREATE DATABASE app", "CREATE TABLE app.t (a INT PRIMARY KEY)"}));
  pod.must(wire::SetAckCount{.wait_for_count = 1});
  auto answer =
      std::async(std::launch::async, [&pod] { return pod.sql().query("INSERT INTO app.t VALUES (1)").has_value(); });
  EXPECT_TRUE(pod.wait_state([](const auto& s) { return s.sql && s.sql->semi_sync.waiting_sessions == 1; }));
  return answer;
}

/// While it lives, no epoch file can be written: its temporary name is taken. (Permissions mean nothing to root.)
class UnwritableRecord {
 public:
  explicit UnwritableRecord(const Pod& pod) : path_(pod.folder() / "volume" / "baton" / "epoch.json.tmp") {
    std::filesystem::create_directory(path_);
  }
  ~UnwritableRecord() { std::filesystem::remove(path_); }
  UnwritableRecord(const UnwritableRecord&) = delete;
  UnwritableRecord& operator=(const UnwritableRecord&) = delete;

 private:
  std::filesystem::path path_;
};

/// An order that must be on disk before it is done is refused as often as it comes.
void expect_refused_unwritten(Pod& pod, const wire::Command& command) {
  const UnwritableRecord unwritable(pod);
  for (int time = 0; time < 2; ++time) EXPECT_EQ(refusal(pod, command), "Retry") << wire::name_of(command);
}

std::string durability_settings(Pod& pod) {
  return pod.sql().value("SELECT CONCAT(@@sync_binlog, @@innodb_flush_log_at_trx_commit)").value_or("?");
}

TEST(PodTest, KilledPrimaryIsToldHeldAndItsLogIsRead) {
  Pod pod("shop-0");
  start(pod);
  ASSERT_TRUE(pod.wait_state(is_down));
  EXPECT_EQ(pod.state().directory, Directory::kEmpty);
  EXPECT_EQ(pod.get_plain("/readyz")->status, 503);
  EXPECT_EQ(pod.give(wire::Initialize{.uuid = "another"})->error_kind, "Unsafe");
  pod.become_primary();
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(pod.state().directory, Directory::kInitialized);
  const auto again = pod.must(wire::Initialize{.uuid = pod.state().uuid});
  EXPECT_EQ(again.opened_epoch, 1) << "done already: nothing";
  EXPECT_FALSE(again.last_exit) << "the end of --initialize is nobody's business";
  EXPECT_EQ(pod.give(wire::CloneFrom{.host = "h"})->error_kind, "Unsafe") << "the directory has a value";

  auto sql = pod.sql();
  EXPECT_EQ(sql.value("SELECT @@server_uuid").value_or(""), pod.state().uuid);
  EXPECT_EQ(sql.value("SELECT @@server_id").value_or(""), std::to_string(pod.state().server_id));
  ASSERT_TRUE(
      sql.run({"CREATE DATABASE app", "CREATE TABLE app.t (a INT PRIMARY KEY)", "INSERT INTO app.t VALUES (1)"}));
  const auto executed = *GtidSet::parse(sql.value("SELECT @@gtid_executed").value_or("?"));
  EXPECT_EQ(pod.get_plain("/readyz")->status, 200);
  const auto metrics = pod.get_plain("/metrics");
  EXPECT_NE(metrics->body.find("baton_member_open{member=\"shop-0\"} 1"), std::string::npos) << metrics->body;

  ::kill(pod.mysqld_pid(), SIGKILL);
  const auto told = pod.wait_state(is_down);
  ASSERT_TRUE(told);
  RecordProperty("death_told_milliseconds", static_cast<int>(told->count()));
  EXPECT_LT(*told, milliseconds(400)) << "must not wait for the next period";
  EXPECT_EQ(pod.state().hold, Hold::kCrashedPrimary);
  ASSERT_TRUE(pod.wait_state(logs_read));
  EXPECT_EQ(*GtidSet::parse(pod.state().logs_gtid_set), executed);
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return s.last_exit && s.last_exit->signal == SIGKILL; }));
  EXPECT_FALSE(pod.state().last_exit->ordered);

  // A deposed leader's late order does nothing; the rightful one's lets it start, read-only.
  pod.epoch = 2;
  EXPECT_EQ(pod.must(wire::Fence{}).hold, Hold::kFenced);
  pod.epoch = 1;
  const auto late = pod.give(wire::Permit{});
  ASSERT_TRUE(late);
  EXPECT_EQ(late->error_kind, "Unsafe");
  EXPECT_NE(late->error.find("epoch 2"), std::string::npos) << late->error;
  pod.epoch = 2;
  pod.must(wire::Permit{});
  ASSERT_TRUE(pod.wait_state(is_running));
  EXPECT_TRUE(pod.state().sql->super_read_only);
  EXPECT_EQ(pod.state().hold, Hold::kNone);
  EXPECT_EQ(*GtidSet::parse(pod.state().sql->gtid_executed), executed);
  EXPECT_EQ(pod.state().opened_epoch, 1);
  EXPECT_EQ(pod.must(wire::Open{.target = pod.state().sql->gtid_executed}).opened_epoch, 2);
  EXPECT_TRUE(is_down(pod.must(wire::Fence{})));
}

TEST(PodTest, SidecarMayDieWhileMysqldLives) {
  Pod pod("shop-0");
  start(pod);
  pod.become_primary();
  ASSERT_FALSE(HasFailure());
  const auto pid = pod.mysqld_pid();
  const auto data = pod.folder() / "volume" / "data";
  EXPECT_EQ(sidecar::is_data_locked(data), true) << "by which another pod would see that it lives";

  pod.kill_sidecar();
  pod.start_sidecar();
  ASSERT_TRUE(pod.wait_state(is_running));
  EXPECT_EQ(pod.mysqld_pid(), pid) << "nothing was started anew";
  EXPECT_FALSE(pod.state().sql->read_only) << "still open";
  EXPECT_EQ(pod.state().opened_epoch, 1);

  // Now the primary dies while no sidecar looks.
  pod.kill_sidecar();
  ::kill(pid, SIGKILL);
  pod.start_sidecar();
  ASSERT_TRUE(pod.wait_state(logs_read));
  EXPECT_EQ(pod.state().hold, Hold::kCrashedPrimary);
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return s.last_exit && s.last_exit->signal == SIGKILL; }));
  EXPECT_EQ(pod.state().unseen_pod, "");
  // Its end is told before the kernel has closed its files.
  EXPECT_TRUE(pod.wait_state([&](const auto&) { return sidecar::is_data_locked(data) == false; }));

  // A gate that dies takes mysqld along, and a new one is not taken for a living server.
  pod.must(wire::Permit{});
  ASSERT_TRUE(pod.wait_state(is_running));
  pod.gate().kill();
  ASSERT_TRUE(pod.wait_state(is_down));
  EXPECT_EQ(pod.state().hold, Hold::kNone) << "it was not open";
  pod.start_gate();
  ASSERT_TRUE(pod.wait_state(is_running)) << "a replica is started without an order";
}

TEST(PodTest, RelaxedDurabilityIsRememberedAndRestored) {
  Pod pod("shop-0");
  start(pod);
  ASSERT_TRUE(pod.wait_state(is_down));
  pod.must(wire::Initialize{.uuid = pod.state().uuid});
  expect_refused_unwritten(pod, wire::SetDurability{.relaxed = true});
  EXPECT_EQ(durability_settings(pod), "11") << "nothing is relaxed before that is remembered";
  const auto relaxed = pod.must(wire::SetDurability{.relaxed = true});
  EXPECT_TRUE(relaxed.relaxed);
  EXPECT_EQ(relaxed.sql->relaxed.size(), 2U);
  EXPECT_TRUE(relaxed.sql->drift.empty()) << relaxed.sql->drift.front();
  EXPECT_EQ(refusal(pod, wire::Open{.target = ""}), "Unsafe");
  EXPECT_EQ(refusal(pod, wire::Follow{.host = "127.0.0.1", .port = 1, .source_uuid = "x", .acks = true}), "Unsafe");

  // mysqld's end, and the sidecar's, take nothing back; mysqld starts strict, and what was before is not known to be
  // on disk.
  ::kill(pod.mysqld_pid(), SIGKILL);
  ASSERT_TRUE(pod.wait_state([&](const auto& s) { return is_running(s) && s.sql && s.unordered_ends == 1; }));
  EXPECT_TRUE(pod.state().relaxed);
  EXPECT_TRUE(pod.state().sql->relaxed.empty());
  EXPECT_EQ(pod.must(wire::SetDurability{.relaxed = true}).sql->relaxed.size(), 2U);
  pod.kill_sidecar();
  pod.start_sidecar();
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return is_running(s) && is_relaxed(s) && s.sql; }));

  const auto restored = pod.must(wire::SetDurability{.relaxed = false});
  EXPECT_FALSE(restored.relaxed);
  EXPECT_TRUE(restored.sql->relaxed.empty());
  EXPECT_EQ(durability_settings(pod), "11");
  // By nobody's order it is drift.
  ASSERT_TRUE(pod.sql().run({"SET GLOBAL sync_binlog=0"}));
  EXPECT_TRUE(pod.wait_state([](const auto& s) { return s.sql && s.sql->drift.size() == 1; }));
  EXPECT_TRUE(pod.must(wire::SetDurability{.relaxed = false}).sql->drift.empty());
  // Nobody answers there, but whoever does may get acks by now.
  pod.must(wire::Follow{.host = "127.0.0.1", .port = 1, .source_uuid = "x"});
  ASSERT_TRUE(pod.sql().run({"SET GLOBAL rpl_semi_sync_replica_enabled=ON"}));
  EXPECT_EQ(refusal(pod, wire::SetDurability{.relaxed = true}), "Unsafe");
  EXPECT_EQ(durability_settings(pod), "11");
  pod.must(wire::SetAckCount{.wait_for_count = 0});
  expect_refused_unwritten(pod, wire::Open{.target = ""});
  EXPECT_EQ(pod.sql().value("SELECT @@super_read_only").value_or("?"), "1")
      << "nothing is open before it is remembered";
  pod.must(wire::Open{.target = ""});
  EXPECT_EQ(refusal(pod, wire::SetDurability{.relaxed = true}), "Unsafe");
  EXPECT_FALSE(pod.state().relaxed);
}

/// Nothing is started, nothing counts of its logs, and no order takes the directory for an empty one.
void expect_untouched(Pod& pod, const std::string& why) {
  EXPECT_TRUE(pod.wait_state([&](const auto& s) { return is_down(s) && s.start_error.contains(why); },
                             std::chrono::seconds(10)));
  const auto uuid = pod.state().uuid;
  for (const wire::Command& command : {wire::Command(wire::Permit{}), wire::Command(wire::Initialize{.uuid = uuid}),
                                       wire::Command(wire::CloneFrom{.host = "127.0.0.1", .port = 1})}) {
    EXPECT_NE(refusal(pod, command), "") << wire::name_of(command);
  }
  EXPECT_TRUE(is_down(pod.state()));
  EXPECT_FALSE(pod.state().logs_readable);
  EXPECT_EQ(pod.state().servable, "");
}

TEST(PodTest, AHostThatWasBootedWhileItWasRelaxedLeavesNothingToTrust) {
  Pod pod("shop-0");
  start(pod);
  ASSERT_TRUE(pod.wait_state(is_down));
  pod.must(wire::Initialize{.uuid = pod.state().uuid});
  const std::string boot = pod.must(wire::SetDurability{.relaxed = true}).boot_id;
  pod.gate().kill();
  pod.kill_sidecar();
  const auto file = pod.folder() / "volume" / "baton" / "epoch.json";
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  std::string record = text.str();
  const auto at = record.find(boot);
  ASSERT_NE(at, std::string::npos) << record;
  std::ofstream(file) << record.replace(at, boot.size(), "another");
  start(pod);
  expect_untouched(pod, "the node was booted");

  // Nor does a directory whose record is lost, or one that cannot even be seen.
  pod.kill_sidecar();
  std::filesystem::remove(file);
  pod.start_sidecar();
  expect_untouched(pod, "holds data, but there is no");
  const auto data = pod.folder() / "volume" / "data";
  EXPECT_TRUE(std::filesystem::exists(data / "mysql.ibd"));
  pod.kill_sidecar();
  std::filesystem::rename(data, pod.folder() / "volume" / "away");
  std::filesystem::create_directory_symlink(data, data);
  pod.start_sidecar();
  expect_untouched(pod, "look for " + data.string());
  EXPECT_FALSE(std::filesystem::exists(file)) << "no record of a directory that holds nothing";
}

/// Nothing can be written down then, but a primary that lives can be stopped.
TEST(PodTest, APrimaryWhoseRecordCannotBeTrustedCanBeFenced) {
  Pod pod("shop-0");
  start(pod);
  pod.become_primary();
  ASSERT_FALSE(HasFailure());
  pod.kill_sidecar();
  std::ofstream(pod.folder() / "volume" / "baton" / "epoch.json") << "{";
  pod.start_sidecar();
  ASSERT_TRUE(
      pod.wait_state([](const auto& s) { return is_running(s) && s.start_error.contains("cannot be trusted"); }));
  EXPECT_EQ(refusal(pod, wire::Permit{}), "Corrupt");
  const auto fenced = pod.give(wire::Fence{});
  ASSERT_TRUE(fenced) << fenced.error().what;
  EXPECT_EQ(fenced->error_kind, "Unsafe");
  EXPECT_TRUE(fenced->error.contains("mysqld is down") && fenced->error.contains("cannot be trusted")) << fenced->error;
  EXPECT_TRUE(is_down(fenced->state));
}

TEST(PodTest, ReplicaIsEndedInOrder) {
  Pod pod("shop-0");
  start(pod);
  ASSERT_TRUE(pod.wait_state(is_down));
  pod.must(wire::Initialize{.uuid = pod.state().uuid});
  ASSERT_TRUE(pod.wait_state(is_running));

  pod.gate().send_signal(SIGTERM);
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return s.terminating; }));
  const auto gate = pod.gate().wait_end(std::chrono::seconds(60));
  ASSERT_TRUE(gate);
  EXPECT_TRUE(WIFEXITED(*gate) && WEXITSTATUS(*gate) == 0);
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return is_down(s) && s.last_exit && s.last_exit->status == 0; }));
  EXPECT_TRUE(pod.state().last_exit->ordered);
  EXPECT_EQ(pod.state().hold, Hold::kNone);
  pod.sidecar().send_signal(SIGTERM);
  ASSERT_TRUE(pod.wait_state(logs_read));
  const auto sidecar = pod.sidecar().wait_end(std::chrono::seconds(20));
  ASSERT_TRUE(sidecar);
  EXPECT_TRUE(WIFEXITED(*sidecar) && WEXITSTATUS(*sidecar) == 0);
}

TEST(PodTest, GateWithoutSidecarEndsAtOnceOrKills) {
  Pod pod("shop-0");
  pod.start_gate();
  pod.gate().send_signal(SIGTERM);
  const auto idle = pod.gate().wait_end(std::chrono::seconds(5));
  ASSERT_TRUE(idle) << "it never started a mysqld";
  start(pod);
  pod.become_primary();
  ASSERT_FALSE(HasFailure());
  auto answer = begin_waiting_commit(pod);
  pod.kill_sidecar();
  pod.gate().send_signal(SIGTERM);
  EXPECT_FALSE(answer.get()) << "the client must not be told OK";
  ASSERT_TRUE(pod.gate().wait_end(std::chrono::seconds(10)));
  pod.start_sidecar();
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return logs_read(s) && s.hold == Hold::kCrashedPrimary; }));
}

/// Why the gate exists: the server's own shutdown tells the client OK for a row that is on no replica.
TEST(PodTest, PlainSigtermAcknowledgesWhatNoReplicaHas) {
  Pod pod("shop-0");
  start(pod);
  pod.become_primary();
  ASSERT_FALSE(HasFailure());
  auto answer = begin_waiting_commit(pod);
  ::kill(pod.mysqld_pid(), SIGTERM);
  EXPECT_TRUE(answer.get()) << "this server no longer acknowledges on SIGTERM: the gate may learn to be kinder";
  ASSERT_TRUE(pod.wait_state(is_down));
  EXPECT_EQ(pod.state().hold, Hold::kCrashedPrimary) << "nobody ordered it: a degraded end is a crash";
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return s.last_exit && s.last_exit->status; }));
  EXPECT_TRUE(pod.state().suspect_end) << "only its own log has what it acknowledged";
}

TEST(PodTest, SigtermThroughTheGateAcknowledgesNothing) {
  Pod pod("shop-0");
  start(pod);
  pod.become_primary();
  ASSERT_FALSE(HasFailure());
  auto answer = begin_waiting_commit(pod);
  pod.gate().send_signal(SIGTERM);
  EXPECT_FALSE(answer.get()) << "the client must not be told OK";
  ASSERT_TRUE(pod.gate().wait_end(std::chrono::seconds(20)));
  ASSERT_TRUE(
      pod.wait_state([](const auto& s) { return is_down(s) && s.last_exit && s.last_exit->signal == SIGKILL; }));
  EXPECT_TRUE(pod.state().terminating);
  EXPECT_TRUE(pod.state().last_exit->ordered);
  EXPECT_FALSE(pod.state().suspect_end);
  EXPECT_EQ(pod.state().hold, Hold::kCrashedPrimary);
}

TEST(PodTest, NoTokenNoAnswer) {
  Pod pod("shop-0");
  pod.start_sidecar();
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return !s.member.empty(); }));
  EXPECT_EQ(pod.state().process, Process::kUnknown) << "no gate has spoken";
  const SystemClock clock;
  const Context context{.stop = {}, .deadline = clock.now() + std::chrono::seconds(5), .log = {}};
  for (const auto& [method, path] : {std::pair("GET", "/v1/state"), std::pair("POST", "/v1/orders")}) {
    const auto response =
        pod.http_with_token("wrong-horse-x")->send(context, {.method = method, .path_and_query = path});
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 401);
  }
  EXPECT_EQ(pod.http().send(context, {.path_and_query = "/v1/nothing"})->status, 404);
  EXPECT_EQ(pod.http().send(context, {.method = "POST", .path_and_query = "/v1/orders", .body = "{"})->status, 400);
  EXPECT_EQ(pod.get_plain("/healthz")->status, 200);
}

TEST(PodTest, AChangedTokenInterruptsNobody) {
  Pod pod("shop-0");
  pod.start_sidecar();
  ASSERT_TRUE(pod.wait_state([](const auto& s) { return !s.member.empty(); }));
  pod.mount_token("staple");
  const SystemClock clock;
  const Context context{.stop = {}, .deadline = clock.now() + std::chrono::seconds(5), .log = {}};
  const HttpRequest request{.path_and_query = "/v1/nothing"};
  EXPECT_EQ(pod.http_with_token("staple")->send(context, request)->status, 404) << "let in";
  EXPECT_EQ(pod.http().send(context, request)->status, 404) << "the earlier one, for a while";
  EXPECT_EQ(pod.http_with_token("horse")->send(context, request)->status, 401);
}

TEST(PodTest, ARenewedCertificateIsServed) {
  Pod pod("shop-0");
  start(pod);
  pod.become_primary();
  ASSERT_FALSE(HasFailure());
  auto sql = pod.sql();
  const auto last_day = [&] { return sql.query("SHOW GLOBAL STATUS LIKE 'Ssl_server_not_after'")->front()[1]; };
  const auto executed = sql.value("SELECT @@gtid_executed").value_or("?");
  const auto before = last_day();
  pod.issue("mysqld", 300);
  EXPECT_TRUE(pod.wait_state([&](const auto&) { return last_day() != before; })) << before.value_or("?");
  EXPECT_EQ(sql.value("SELECT @@gtid_executed").value_or("?"), executed) << "a local matter";
}

TEST(PodTest, GateIsCopiedOut) {
  Pod pod("shop-0");
  Program copy({BATON_SIDECAR, "copy-gate", pod.folder() / "bin"}, pod.folder() / "copy.log");
  const auto status = copy.wait_end(std::chrono::seconds(20));
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
  EXPECT_EQ(std::filesystem::file_size(pod.folder() / "bin" / "baton-gate"), std::filesystem::file_size(BATON_GATE));
  EXPECT_EQ(std::filesystem::status(pod.folder() / "bin" / "baton-gate").permissions(), std::filesystem::perms(0755));
}

TEST(PodTest, MissingMysqldIsTold) {
  auto pod = std::make_unique<Pod>("shop-0");
  const std::string path = std::getenv("PATH");
  ASSERT_EQ(::setenv("PATH", "/nonexistent", 1), 0);
  pod->start_gate();
  ASSERT_EQ(::setenv("PATH", path.c_str(), 1), 0);
  pod->start_sidecar();
  ASSERT_TRUE(pod->wait_state(is_down));
  const auto result = pod->give(wire::Initialize{.uuid = pod->state().uuid});
  ASSERT_TRUE(result);
  EXPECT_NE(result->error.find("127"), std::string::npos) << result->error;
  EXPECT_NE(result->error.find("no mysqld on its PATH"), std::string::npos) << result->error;
}

TEST(PodTest, CloneFillsAMemberThatThenFollows) {
  Pod primary("shop-0");
  Pod replica("shop-1");
  replica.share_authority(primary);
  start(primary);
  start(replica);
  primary.become_primary();
  ASSERT_FALSE(HasFailure());
  auto sql = primary.sql();
  ASSERT_TRUE(
      sql.run({"CREATE DATABASE app", "CREATE TABLE app.t (a INT PRIMARY KEY)", "INSERT INTO app.t VALUES (1)"}));
  primary.must(wire::AllowClone{.allowed = true});
  ASSERT_TRUE(replica.wait_state(is_down));
  replica.must(wire::CloneFrom{.host = "127.0.0.1", .port = primary.mysql_port()});
  EXPECT_EQ(replica.give(wire::SetAckCount{})->error_kind, "Retry") << "no order but Fence goes beside a clone";
  ASSERT_TRUE(replica.wait_state([](const auto& s) { return s.directory == Directory::kCloned && is_running(s); }));
  EXPECT_NE(replica.state().uuid, primary.state().uuid);
  EXPECT_EQ(replica.sql().value("SELECT @@server_uuid").value_or(""), replica.state().uuid);

  primary.must(wire::EnsureReplicationAccount{.uuid = replica.state().uuid});
  primary.must(wire::SetAckers{.replicas = {replica.state().uuid}});
  replica.must(wire::Follow{
      .host = "127.0.0.1", .port = primary.mysql_port(), .source_uuid = primary.state().uuid, .acks = true});
  primary.must(wire::SetAckCount{.wait_for_count = 1});
  primary.must(wire::WaitAckers{.count = 1, .milliseconds = 5000});
  ASSERT_TRUE(sql.run({"INSERT INTO app.t VALUES (2)"}));
  const auto target = sql.value("SELECT @@gtid_executed").value_or("?");
  replica.must(wire::WaitApplied{.target = target, .milliseconds = 5000});
  EXPECT_EQ(replica.sql().value("SELECT COUNT(*) FROM app.t").value_or(""), "2");
  // This receiver goes on sending acks, whatever the variable says.
  ASSERT_TRUE(replica.sql().run({"SET GLOBAL rpl_semi_sync_replica_enabled=OFF"}));
  EXPECT_EQ(refusal(replica, wire::SetDurability{.relaxed = true}), "Unsafe");

  // What only the table mysql.gtid_executed holds after a clone counts too when the logs are all there is.
  replica.must(wire::Fence{});
  ASSERT_TRUE(replica.wait_state(logs_read));
  EXPECT_TRUE(GtidSet::parse(replica.state().logs_gtid_set)->contains(*GtidSet::parse(target)));

  // A stranger is cut off as often as it comes: the primary no longer lists this replica, nor anybody.
  primary.must(wire::SetAckCount{.wait_for_count = 0});
  primary.must(wire::SetAckers{.replicas = {}});
  replica.must(wire::Permit{});
  ASSERT_TRUE(replica.wait_state(is_running));
  replica.must(wire::Follow{.host = "127.0.0.1", .port = primary.mysql_port(), .source_uuid = primary.state().uuid});
  std::string seen;
  const auto dump = [&] {
    constexpr const char* kDumps =
        "SELECT MAX(PROCESSLIST_ID) FROM performance_schema.threads WHERE PROCESSLIST_COMMAND LIKE 'Binlog%'";
    return sql.value(kDumps).value_or("");
  };
  ASSERT_TRUE(primary.wait_state([&](const auto&) { return !(seen = dump()).empty(); }));
  EXPECT_TRUE(primary.wait_state([&](const auto&) { return dump() != seen; }, std::chrono::seconds(10)));
}

TEST(PodTest, ACloneWaitsForItsTurnAtTheDonor) {
  Pod donor("shop-0");
  Pod replica("shop-1");
  replica.share_authority(donor);
  start(donor);
  start(replica);
  donor.become_primary();
  donor.must(wire::AllowClone{.allowed = true});
  ASSERT_FALSE(HasFailure());
  // Another recipient has the turn, and is frozen in the middle of it. Its client ends when it does, so goes after it.
  std::future<bool> copied;
  ASSERT_TRUE(donor.sql().run({"CREATE USER copier IDENTIFIED BY 'a'", "GRANT BACKUP_ADMIN ON *.* TO copier"}));
  auto slow = Mysqld::create();
  ASSERT_TRUE(slow) << slow.error().what;
  auto setup = (*slow)->connect();
  ASSERT_TRUE(setup &&
              setup->run({"INSTALL PLUGIN clone SONAME 'mysql_clone.so'",
                          std::format("SET GLOBAL clone_valid_donor_list='127.0.0.1:{}'", donor.mysql_port())}));
  const auto clone =
      std::format("CLONE INSTANCE FROM copier@127.0.0.1:{} IDENTIFIED BY 'a' REQUIRE SSL", donor.mysql_port());
  copied = std::async(std::launch::async, [clone, socket = (*slow)->socket()] {
    auto client = SqlSession::over_socket(socket);
    return client && client->run({clone}).has_value();
  });
  const char* stage = "SELECT STATE FROM performance_schema.clone_progress WHERE STAGE='FILE COPY'";
  ASSERT_TRUE((*slow)->wait_for(stage, "In Progress"));
  (*slow)->send_signal(SIGSTOP);

  ASSERT_TRUE(replica.wait_state(is_down));
  replica.must(wire::CloneFrom{.host = "127.0.0.1", .port = donor.mysql_port()});
  const auto is_refused = [&] {
    auto scratch = SqlSession::over_socket(replica.folder() / "run" / "mysql" / "mysqld.sock");
    const char* refused = "SELECT COUNT(*) FROM performance_schema.clone_status WHERE STATE='Failed' AND ERROR_NO=3862";
    return scratch && scratch->value(refused).value_or("") == "1";
  };
  ASSERT_TRUE(replica.wait_state([&](const auto& s) { return s.process == Process::kCloning && is_refused(); }));
  EXPECT_EQ(replica.state().start_error, "") << "it is no failure to be repeated from the beginning";
  (*slow)->kill();
  ASSERT_TRUE(replica.wait_state([](const auto& s) { return s.directory == Directory::kCloned && is_running(s); }));
}

}  // namespace
}  // namespace baton::test
