// Connections: which failure is which, and how a stuck call ends.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <format>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "tests/mysql/cluster.h"

namespace baton::test {
namespace {

using namespace std::chrono_literals;
using sidecar::Session;
using sidecar::SessionLimits;

class SessionTest : public Cluster {};

TEST_F(SessionTest, FailuresTellWhatTheServerDid) {
  make_members(1, {"--max-connections=4"});
  auto& one = member(0);
  const auto nobody = Session::connect(library(), {.socket = "/nonexistent"}, {}, never_);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(nobody.error().server_answered());
  const auto no_port =
      Session::connect(library(), {.host = "127.0.0.1", .port = 1, .user = "x", .ca = ca()}, {}, never_);
  ASSERT_FALSE(no_port);
  EXPECT_EQ(no_port.error().kind, ErrorKind::kNotFound);

  // root@localhost is no way in over TCP.
  const auto denied = client(one, "root", "");
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind, ErrorKind::kTerminal);
  EXPECT_EQ(denied.error().number, 1130U) << denied.error().text;
  EXPECT_TRUE(denied.error().server_answered());

  std::vector<Session> held;
  while (held.size() < 10) {
    auto session = Session::connect(library(), {.socket = one.server->socket()}, {}, never_);
    if (!session) {
      EXPECT_EQ(session.error().number, 1040U);
      EXPECT_EQ(session.error().kind, ErrorKind::kRetry);
      EXPECT_TRUE(session.error().server_answered());
      break;
    }
    held.push_back(*std::move(session));
  }
  EXPECT_EQ(held.size(), 5U);  // max_connections and one administrator.

  const auto wrong = held[0].query(never_, "SELEKT 'secret'");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::kTerminal);
  EXPECT_FALSE(wrong.error().text.contains("secret"));
}

TEST_F(SessionTest, RowsAreReadByName) {
  make_members(1);
  auto session = Session::connect(library(), {.socket = member(0).server->socket()}, {}, never_);
  ASSERT_TRUE(session) << session.error().text;
  const auto rows = session->query(never_, "SELECT 12 AS Twelve, NULL AS nothing, 'ON' AS switched, " +
                                               sidecar::sql_quoted("it's \\ \"here\"") + " AS quoted");
  ASSERT_TRUE(rows) << rows.error().text;
  EXPECT_EQ((*rows)[0].number("twelve"), 12);
  EXPECT_EQ((*rows)[0].find("nothing"), std::nullopt);
  EXPECT_EQ((*rows)[0].find("absent"), std::nullopt);
  EXPECT_TRUE((*rows)[0].flag("switched"));
  EXPECT_EQ((*rows)[0].text("quoted"), "it's \\ \"here\"");
  EXPECT_EQ(session->value(never_, "SELECT CONNECTION_ID()"), std::to_string(session->connection_id()));
}

TEST_F(SessionTest, AStopEndsAStuckCall) {
  make_members(1);
  auto session = Session::connect(library(), {.socket = member(0).server->socket()}, {}, never_);
  ASSERT_TRUE(session) << session.error().text;
  std::stop_source source;
  const std::string id = std::to_string(session->connection_id());
  std::jthread stopper([&] {
    EXPECT_TRUE(member(0).server->wait_for("SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_ID=" +
                                               id + " AND PROCESSLIST_INFO LIKE 'SELECT SLEEP%'",
                                           "1"));
    source.request_stop();
  });
  sidecar::SqlResult<sidecar::Rows> answer;
  const double took = milliseconds_of([&] { answer = session->query(source.get_token(), "SELECT SLEEP(9)"); });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kCancelled);
  EXPECT_LT(took, 8000) << "the statement itself takes nine seconds";
  EXPECT_TRUE(session->lost());
}

/// Whether every thread of the process has stopped, at the latest within ten seconds: SIGSTOP reaches them one by one.
bool stopped(pid_t pid) {
  const auto all_stopped = [&] {
    for (const auto& task : std::filesystem::directory_iterator(std::format("/proc/{}/task", pid))) {
      std::ifstream file(task.path() / "stat");
      const std::string stat(std::istreambuf_iterator<char>(file), {});
      if (stat.find(") T") == std::string::npos) return false;
    }
    return true;
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!all_stopped()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_F(SessionTest, SilenceEndsACallOnce) {
  make_members(1);
  auto session =
      Session::connect(library(), {.socket = member(0).server->socket()}, {.connect = 4s, .answer = 4s}, never_);
  ASSERT_TRUE(session) << session.error().text;
  member(0).server->send_signal(SIGSTOP);
  ASSERT_TRUE(stopped(member(0).server->pid()));
  sidecar::SqlResult<std::string> answer;
  double took = milliseconds_of([&] { answer = session->value(never_, "SELECT 1"); });
  EXPECT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kRetry);
  EXPECT_LT(took, 8000) << "the limit holds once, not for each of the library's attempts";
  sidecar::SqlResult<Session> dialled = std::unexpected(sidecar::SqlFailure{});
  took = milliseconds_of([&] {
    dialled =
        Session::connect(library(), {.socket = member(0).server->socket()}, {.connect = 4s, .answer = 4s}, never_);
  });
  EXPECT_FALSE(dialled);
  EXPECT_EQ(dialled.error().kind, ErrorKind::kRetry) << dialled.error().text;
  EXPECT_LT(took, 8000);
  member(0).server->send_signal(SIGCONT);
}

TEST_F(SessionTest, ARestartedServerIsConnectedAnew) {
  make_members(1);
  auto& one = member(0);
  EXPECT_FALSE(state(one).version.empty());
  one.server->kill();
  const auto down = one.admin->read_state(never_);
  ASSERT_FALSE(down);
  EXPECT_EQ(down.error().kind, ErrorKind::kNotFound) << down.error().what;
  ASSERT_OK(one.server->start());
  EXPECT_FALSE(state(one).version.empty());
}

}  // namespace
}  // namespace baton::test
