#include "tests/mysql/cluster.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "sidecar/mysql/pinned.h"
#include "sidecar/mysql/session_pool.h"
#include "tests/mysql/cut_relay.h"

namespace baton::test {

using namespace std::chrono_literals;
using sidecar::Session;

void Cluster::SetUp() {
  std::string name = (std::filesystem::temp_directory_path() / "baton-cluster-XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  folder_ = name;
  make_certificates();
  const auto text =
      mysql::render_my_cnf({{"innodb_buffer_pool_size", "64M"}, {"innodb-redo-log-capacity", "32M"}},
                           {.ca = ca(), .certificate = folder_ / "server.crt", .key = folder_ / "server.key"});
  ASSERT_TRUE(text) << text.error().what;
  my_cnf_ = folder_ / "my.cnf";
  std::ofstream(my_cnf_) << *text;
  // mysqld then believes that its parent starts it again, which CLONE needs. The tests do.
  ASSERT_EQ(::setenv("MYSQLD_PARENT_PID", std::to_string(::getpid()).c_str(), 1), 0);
}

void Cluster::TearDown() {
  if (HasFailure()) {
    for (const auto& member : members_) {
      std::ifstream log(member.server->error_log());
      std::string line;
      while (std::getline(log, line)) {
        if (line.contains("[ERROR]") || line.contains("[Warning] [MY-01"))
          GTEST_LOG_(INFO) << member.uuid.substr(0, 8) << " " << line;
      }
    }
  }
  members_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Cluster::make_certificates() {
  const std::string script = std::format(
      "cd {} && exec 2>openssl.log && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
      "-subj /CN=test-ca -keyout ca.key -out ca.crt && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
      "-subj /CN=member -keyout server.key -out server.csr && openssl x509 -req -in server.csr -CA ca.crt -CAkey "
      "ca.key "
      "-CAcreateserial -days 2 -out server.crt",
      folder_.string());
  ASSERT_EQ(std::system(script.c_str()), 0);
}

void Cluster::make_members(std::size_t count, const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::string> all{std::format("--server-id={}", 100 + i)};
    all.insert(all.end(), arguments.begin(), arguments.end());
    auto server = Mysqld::create({.arguments = std::move(all), .defaults_file = my_cnf_});
    ASSERT_TRUE(server) << server.error().what;
    Member made{.server = *std::move(server), .admin = nullptr, .uuid = ""};
    made.admin = std::make_unique<sidecar::ServerAdmin>(
        library_, sidecar::ServerAdmin::Config{.socket = made.server->socket(), .ca = ca()});
    made.uuid = value(made, "SELECT @@server_uuid");
    members_.push_back(std::move(made));
  }
}

void Cluster::bootstrap(Member& primary) {
  ASSERT_OK(primary.admin->bootstrap_accounts(never_, passwords_));
  ASSERT_OK(primary.admin->ensure_application_account(never_, kDatabase, kUser, passwords_));
  ASSERT_OK(primary.admin->open(never_, GtidSet()));
  run(primary, std::format("CREATE TABLE {}.t (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(100))", kDatabase));
}

void Cluster::fill(Member& member, Member& donor, Member& primary) {
  ASSERT_OK(primary.admin->ensure_replication_account(never_, member.uuid, passwords_));
  ASSERT_OK(donor.admin->allow_clone(never_, true));
  ASSERT_TRUE(eventually([&] { return executed(donor).contains(executed(primary)); }));
  const double took = milliseconds_of([&] {
    ASSERT_OK(member.admin->clone_from(never_, {.host = "127.0.0.1", .port = donor.server->port()}, passwords_));
  });
  GTEST_LOG_(INFO) << std::format("clone took {:.0f} ms", took);
  member.server->kill();  // It has ended or is about to: this only waits for it.
  ASSERT_OK(member.server->start());
  const auto outcome = member.admin->clone_outcome(never_);
  ASSERT_TRUE(outcome) << outcome.error().what;
  ASSERT_EQ(outcome->state, sidecar::CloneOutcome::State::kCompleted) << outcome->error;
  ASSERT_OK(member.admin->forget_cloned_channel(never_));
  EXPECT_FALSE(state(member).clone_unlocked);
  ASSERT_OK(donor.admin->allow_clone(never_, false));
}

void Cluster::make_replicated(std::size_t count, std::int64_t acks) {
  make_members(count);
  if (HasFatalFailure()) return;
  bootstrap(member(0));
  for (std::size_t i = 1; i < count && !HasFatalFailure(); ++i) {
    fill(member(i), member(0), member(0));
    if (HasFatalFailure()) return;
    ASSERT_OK(follow(member(i), member(0), acks > 0));
  }
  if (acks == 0 || HasFatalFailure()) return;
  ASSERT_OK(member(0).admin->wait_ackers(never_, static_cast<std::int64_t>(count) - 1, 5s));
  ASSERT_OK(member(0).admin->set_ack_count(never_, acks));
}

wire::Follow Cluster::follow_order(const Member& source, bool acks) const {
  return {.host = "127.0.0.1", .port = source.server->port(), .source_uuid = source.uuid, .acks = acks};
}

Result<void> Cluster::follow(Member& member, const Member& source, bool acks) {
  return member.admin->follow(never_, follow_order(source, acks), passwords_);
}

GtidSet Cluster::receive_half(std::uint8_t event_type, const Member& primary, const Member& replica) {
  CutRelay relay(primary.server->port());
  for (const char* statement : CutRelay::kAccount) run(primary, statement);
  run(replica, "STOP REPLICA");
  run(replica, relay.change_statement());
  run(replica, "START REPLICA");
  const GtidSet whole = executed(primary);
  EXPECT_TRUE(eventually([&] { return executed(replica) == whole; }));
  const auto before = bytes_of_relay_logs(replica);
  relay.cut_behind(event_type);
  run(primary, "INSERT INTO app_db.t (note) VALUES ('half')");
  EXPECT_TRUE(eventually([&] { return relay.is_cut() && bytes_of_relay_logs(replica) > before; }));
  EXPECT_EQ(executed(replica), whole);
  return whole;
}

std::uintmax_t Cluster::bytes_of_relay_logs(const Member& replica) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(replica.server->data_dir())) {
    if (entry.path().filename().string().starts_with("relay.0")) bytes += entry.file_size();
  }
  return bytes;
}

wire::Sql Cluster::state(Member& member) {
  auto state = member.admin->read_state(never_);
  EXPECT_TRUE(state) << state.error().what;
  return state ? *std::move(state) : wire::Sql{};
}

void Cluster::run(const Member& member, const std::string& statement) {
  const auto done = member.server->query(statement);
  ASSERT_TRUE(done) << statement << ": " << done.error().what;
}

std::string Cluster::value(const Member& member, const std::string& statement) {
  const auto answer = member.server->query(statement);
  EXPECT_TRUE(answer) << statement << ": " << answer.error().what;
  if (!answer || answer->empty()) return "";
  return answer->front().front().value_or("");
}

bool Cluster::eventually(const std::function<bool()>& condition) {
  const auto seen = sidecar::look_until({}, 20s, 5ms, [&] -> Result<bool> { return condition(); });
  return seen && *seen;
}

GtidSet Cluster::executed(const Member& member) {
  const auto set = GtidSet::parse(value(member, "SELECT @@global.gtid_executed"));
  EXPECT_TRUE(set);
  return set.value_or(GtidSet());
}

bool Cluster::applied(const Member& member, const Member& primary) {
  return eventually([&] { return executed(member).contains(executed(primary)); });
}

bool Cluster::holds(Member& member, const GtidSet& set) {
  const auto retrieved = GtidSet::parse(state(member).channel.retrieved);
  return retrieved && retrieved->united(executed(member)).contains(set);
}

sidecar::SqlResult<Session> Cluster::client(const Member& member, std::string_view user, std::string_view password) {
  return Session::connect(library_,
                          {.host = "127.0.0.1",
                           .port = member.server->port(),
                           .user = std::string(user),
                           .password = std::string(password),
                           .ca = ca()},
                          {}, never_);
}

}  // namespace baton::test
