#include "tests/sidecar/pod.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <format>
#include <fstream>

#include "engine/base/ensure.h"
#include "operator/base/fd.h"
#include "operator/base/http_cpprest.h"
#include "sidecar/local/epoch_file.h"
#include "sidecar/local/process_watch.h"
#include "sidecar/mysql/pinned.h"

namespace baton::test {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

constexpr const char* kToken = "correct-horse";

std::uint16_t free_port() {
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = std::bit_cast<sockaddr*>(&address);
  ENSURE(::bind(listener.get(), generic, length) == 0);
  ENSURE(::getsockname(listener.get(), generic, &length) == 0);
  return ntohs(address.sin_port);
}

void write_file(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }

void shell(const std::string& command) { ENSURE(std::system(command.c_str()) == 0); }

}  // namespace

Program::Program(std::vector<std::string> arguments, const fs::path& log) {
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const Fd out(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644));
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(out.get(), STDOUT_FILENO);
  ::dup2(out.get(), STDERR_FILENO);
  ::execv(pointers[0], pointers.data());
  ::_exit(127);
}

Program::~Program() { kill(); }

void Program::send_signal(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

void Program::kill() {
  send_signal(SIGKILL);
  wait_end(std::chrono::seconds(30));
}

std::optional<int> Program::wait_end(milliseconds limit) {
  if (pid_ <= 0) return std::nullopt;
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  if (::poll(&ended, 1, static_cast<int>(limit.count())) != 1) return std::nullopt;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

Pod::Pod(std::string name) : name_(std::move(name)) {
  std::string pattern = (fs::temp_directory_path() / "baton-pod-XXXXXX").string();
  ENSURE(::mkdtemp(pattern.data()) != nullptr);
  folder_ = pattern;
  for (const char* part : {"volume", "run", "config", "secrets", "tmp"}) fs::create_directory(folder_ / part);
  mysql_port_ = free_port();
  api_port_ = free_port();
  metrics_port_ = free_port();
  log_port_ = free_port();
  make_secrets();
  const auto secrets = folder_ / "secrets";
  const auto cnf = mysql::render_my_cnf({}, {.ca = secrets / "ca.crt",
                                             .certificate = secrets / "mysqld.crt",
                                             .key = secrets / "mysqld.key",
                                             .port = mysql_port_});
  ENSURE(cnf.has_value());
  // A test may run as root, which mysqld wants to be told; a pod never does.
  write_file(folder_ / "config" / "my.cnf", *cnf + "\n[mysqld]\nuser=root\n");
  http_ = http_with_token(kToken);
}

Pod::~Pod() {
  stream_ = {};
  gate_.reset();
  sidecar_.reset();
  const auto log = sidecar::read_small_file(folder_ / "sidecar.log", 64 << 20).value_or("");
  EXPECT_FALSE(log.contains("Sanitizer")) << log;
  if (testing::Test::HasFailure() || std::getenv("BATON_KEEP") != nullptr) {
    shell(std::format("tail -n 100 {0}/*.log >&2; grep -rh ERROR {0}/volume/data/*.log {0}/volume/data/*.err >&2; true",
                      folder_.string()));
  }
  if (std::getenv("BATON_KEEP") == nullptr) fs::remove_all(folder_);
}

void Pod::make_secrets() {
  const auto folder = (folder_ / "secrets").string();
  shell(
      std::format("cd {} && {{ openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key "
                  "-out ca.crt -days 2 -subj /CN=test-ca; }} 2>/dev/null",
                  folder));
  for (const char* file : {"replication-password", "clone-password", "app-password"}) {
    write_file(folder_ / "secrets" / file, std::format("secret-{}\n", file));
  }
  mount_token(kToken);
  share_authority(*this);
}

void Pod::share_authority(const Pod& other) {
  const auto folder = (folder_ / "secrets").string();
  const auto theirs = (other.folder_ / "secrets").string();
  if (folder != theirs) shell(std::format("cp {}/ca.* {}", theirs, folder));
  issue(name_, 2);
  issue("mysqld", 2);
}

void Pod::issue(const std::string& file, int days) const {
  shell(
      std::format("cd {0} && {{ "
                  "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {1}.key -out {1}.csr "
                  "-subj /CN={2}; printf 'subjectAltName=DNS:{2}\\n' >san; "
                  "openssl x509 -req -in {1}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days {3} -extfile san "
                  "-out {1}.crt; }} >/dev/null 2>&1",
                  (folder_ / "secrets").string(), file, name_, days));
}

void Pod::mount_token(const std::string& token) const { write_file(folder_ / "secrets" / "token", token + "\n"); }

void Pod::start_sidecar() {
  stream_ = {};
  sidecar_ = std::make_unique<Program>(std::vector<std::string>{BATON_SIDECAR,    "run",
                                                                "--member",       name_,
                                                                "--pod-uid",      name_ + "-uid",
                                                                "--data",         folder_ / "volume",
                                                                "--run",          folder_ / "run",
                                                                "--config",       folder_ / "config",
                                                                "--secrets",      folder_ / "secrets",
                                                                "--address",      "127.0.0.1",
                                                                "--api-port",     std::to_string(api_port_),
                                                                "--metrics-port", std::to_string(metrics_port_),
                                                                "--log-port",     std::to_string(log_port_)},
                                       folder_ / "sidecar.log");
  stream_ = std::jthread([this](const std::stop_token& stop) { read_stream(stop); });
}

void Pod::start_gate() {
  gate_ = std::make_unique<Program>(std::vector<std::string>{BATON_GATE, folder_ / "run" / "gate.sock"},
                                    folder_ / "gate.log");
}

void Pod::kill_sidecar() {
  stream_ = {};
  sidecar_->kill();
  const std::scoped_lock lock(mutex_);
  state_ = {};
}

std::unique_ptr<HttpPort> Pod::http_with_token(const std::string& token) {
  return std::make_unique<HttpCpprest>(HttpClientOptions{.base_url = std::format("https://127.0.0.1:{}", api_port_),
                                                         .ca_file = (folder_ / "secrets" / "ca.crt").string(),
                                                         .verify_name = name_,
                                                         .token = [token] { return token; },
                                                         .idle_timeout = std::chrono::minutes(4)},
                                       clock_);
}

Result<HttpResponse> Pod::get_plain(const std::string& path) {
  HttpCpprest http({.base_url = std::format("http://127.0.0.1:{}", metrics_port_)}, clock_);
  const Context context{.stop = {}, .deadline = clock_.now() + std::chrono::seconds(5), .log = {}};
  return http.send(context, {.path_and_query = path});
}

void Pod::read_stream(const std::stop_token& stop) {
  const Context context{.stop = stop, .deadline = Instant::max(), .log = {}};
  while (!stop.stop_requested()) {
    static_cast<void>(http_->stream_lines(context, {.path_and_query = "/v1/state"}, [&](std::string_view line) {
      auto state = wire::parse_member_state(line);
      EXPECT_TRUE(state) << line;
      if (!state) return false;
      const std::scoped_lock lock(mutex_);
      state_ = *std::move(state);
      news_.notify_all();
      return true;
    }));
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, stop, milliseconds(20), [] { return false; });  // Until the sidecar listens.
  }
}

wire::MemberState Pod::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

std::optional<milliseconds> Pod::wait_state(const std::function<bool(const wire::MemberState&)>& wanted,
                                            milliseconds limit) {
  const auto began = clock_.now();
  std::unique_lock lock(mutex_);
  const bool seen = news_.wait_for(lock, limit, [&] { return wanted(state_); });
  EXPECT_TRUE(seen) << "last state: " << wire::to_line(state_);
  return seen ? std::optional(clock_.now() - began) : std::nullopt;
}

Result<wire::OrderResult> Pod::give(const wire::Command& command) {
  const wire::Order order{
      .epoch = epoch, .revision = revision, .member = name_, .pod_uid = name_ + "-uid", .command = command};
  const Context context{.stop = {}, .deadline = clock_.now() + std::chrono::minutes(3), .log = {}};
  TRY(response, http_->send(context, {.method = "POST", .path_and_query = "/v1/orders", .body = to_json_text(order)}));
  return wire::parse_order_result(response.body);
}

wire::MemberState Pod::must(const wire::Command& command) {
  const auto result = give(command);
  EXPECT_TRUE(result) << result.error().what;
  if (!result) return {};
  EXPECT_EQ(result->error, "") << wire::name_of(command);
  return result->state;
}

void Pod::become_primary() {
  ASSERT_TRUE(wait_state([](const auto& s) { return s.process == wire::Process::kNotRunning; }));
  must(wire::Initialize{.uuid = state().uuid});
  must(wire::SetAckCount{.wait_for_count = 0});
  const auto executed = must(wire::Permit{}).sql.value_or(wire::Sql{}).gtid_executed;
  must(wire::Open{.target = executed});
}

SqlSession Pod::sql() const {
  auto session = SqlSession::over_socket(folder_ / "run" / "mysql" / "mysqld.sock");
  EXPECT_TRUE(session) << session.error().what;
  ENSURE(session.has_value());
  return *std::move(session);
}

pid_t Pod::mysqld_pid() const {
  const auto pid = sidecar::find_mysqld(folder_ / "volume" / "data");
  ENSURE(pid && *pid);
  return **pid;
}

}  // namespace baton::test
