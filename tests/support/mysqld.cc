#include "tests/support/mysqld.h"

#include <fcntl.h>
#include <mysql.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "engine/base/ensure.h"

namespace baton::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How long to wait between two looks at something that gives no event of its own.
constexpr milliseconds kLook{20};

/// Client errors 2000 … 2999 are the library's own (errmsg.h CR_MIN_ERROR, CR_MAX_ERROR): the connection is lost.
std::unexpected<Error> mysql_failure(MYSQL* handle) {
  const unsigned number = mysql_errno(handle);
  const ErrorKind kind = number >= 2000 && number < 3000 ? ErrorKind::kRetry : ErrorKind::kTerminal;
  return fail(kind, "{}: {}", number, mysql_error(handle));
}

/// A loopback TCP port that nobody listens on at this moment.
Result<std::uint16_t> free_port() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return fail(ErrorKind::kRetry, "socket: {}", std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = std::bit_cast<sockaddr*>(&address);
  const bool bound = ::bind(listener, generic, length) == 0 && ::getsockname(listener, generic, &length) == 0;
  ::close(listener);
  if (!bound) return fail(ErrorKind::kRetry, "bind to a free port: {}", std::strerror(errno));
  return ntohs(address.sin_port);
}

Result<std::filesystem::path> make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "baton-mysqld-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return fail(ErrorKind::kRetry, "mkdtemp {}: {}", name, std::strerror(errno));
  return std::filesystem::path(name);
}

void wait_a_look(int pidfd) {
  pollfd watched{.fd = pidfd, .events = POLLIN, .revents = 0};
  static_cast<void>(::poll(&watched, 1, static_cast<int>(kLook.count())));
}

}  // namespace

void SqlSession::Closer::operator()(MYSQL* handle) const { mysql_close(handle); }

Result<SqlSession> SqlSession::over_socket(const std::filesystem::path& socket) {
  std::unique_ptr<MYSQL, Closer> handle(mysql_init(nullptr));
  ENSURE(handle != nullptr);
  const unsigned connect_seconds = 5;
  const unsigned io_seconds = 60;
  mysql_options(handle.get(), MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
  mysql_options(handle.get(), MYSQL_OPT_READ_TIMEOUT, &io_seconds);
  mysql_options(handle.get(), MYSQL_OPT_WRITE_TIMEOUT, &io_seconds);
  if (mysql_real_connect(handle.get(), nullptr, "root", "", nullptr, 0, socket.c_str(), 0) == nullptr) {
    return fail(ErrorKind::kRetry, "connect to {}: {}", socket.string(), mysql_error(handle.get()));
  }
  return SqlSession(std::move(handle));
}

Result<SqlRows> SqlSession::query(const std::string& statement) {
  if (mysql_real_query(handle_.get(), statement.data(), statement.size()) != 0) return mysql_failure(handle_.get());
  const std::unique_ptr<MYSQL_RES, decltype([](MYSQL_RES* result) { mysql_free_result(result); })> result(
      mysql_store_result(handle_.get()));
  if (result == nullptr) {
    if (mysql_field_count(handle_.get()) != 0) return mysql_failure(handle_.get());
    return SqlRows{};
  }
  SqlRows rows;
  const unsigned columns = mysql_num_fields(result.get());
  while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
    const unsigned long* lengths = mysql_fetch_lengths(result.get());
    SqlRow& copy = rows.emplace_back();
    for (unsigned i = 0; i < columns; ++i) {
      copy.push_back(row[i] == nullptr ? std::nullopt : std::optional(std::string(row[i], lengths[i])));
    }
  }
  return rows;
}

Result<std::string> SqlSession::value(const std::string& statement) {
  TRY(rows, query(statement));
  if (rows.empty() || rows.front().empty() || !rows.front().front()) {
    return fail(ErrorKind::kNotFound, "no value for: {}", statement);
  }
  return *rows.front().front();
}

Result<void> SqlSession::run(const std::vector<std::string>& statements) {
  for (const std::string& statement : statements) {
    if (auto done = query(statement); !done) return wrap(statement.substr(0, 200), std::move(done).error());
  }
  return {};
}

Result<std::unique_ptr<Mysqld>> Mysqld::create(Options options) {
  TRY(folder, make_folder());
  TRY(port, free_port());
  std::unique_ptr<Mysqld> server(new Mysqld(std::move(folder), std::move(options), port));
  TRY_VOID(server->make_data_dir());
  TRY_VOID(server->start());
  return server;
}

Mysqld::~Mysqld() {
  kill();
  if (std::getenv("BATON_KEEP") != nullptr) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Result<void> Mysqld::make_data_dir() {
  const char* given = std::getenv("BATON_DATA_TEMPLATE");
  if (given == nullptr) return initialize(options_.defaults_file);
  namespace fs = std::filesystem;
  const fs::path shared = given;
  std::error_code error;
  if (!fs::exists(shared, error)) {
    TRY_VOID(initialize({}));
    // Who is late finds the name taken, and both are the same.
    const fs::path own = shared.string() + std::format(".{}", ::getpid());
    fs::copy(data_dir(), own, fs::copy_options::recursive, error);
    if (!error) fs::rename(own, shared, error);
    if (error) fs::remove_all(own, error);
    return {};
  }
  fs::copy(shared, data_dir(), fs::copy_options::recursive, error);
  if (error) return fail(ErrorKind::kRetry, "{} cannot be copied: {}", shared.string(), error.message());
  fs::remove(data_dir() / "auto.cnf", error);  // Each server has a uuid of its own.
  return {};
}

Result<void> Mysqld::initialize(const std::filesystem::path& defaults) {
  TRY_VOID(spawn({"--initialize-insecure"}, defaults));
  const auto status = wait_end(options_.patience);
  if (status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  kill();
  return fail(ErrorKind::kRetry, "mysqld --initialize-insecure failed; its log ends: {}", error_log_tail());
}

Result<void> Mysqld::start(const std::vector<std::string>& more) {
  ENSURE(pid_ < 0);
  std::vector<std::string> arguments{
      "--log-bin=binlog", "--relay-log=relay", "--gtid-mode=ON", "--enforce-gtid-consistency=ON",
      "--log-replica-updates=ON", "--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1", "--skip-replica-start=ON",
      "--bind-address=127.0.0.1", std::format("--port={}", port_), std::format("--socket={}", socket().string()),
      "--server-id=1", "--innodb-buffer-pool-size=64M",
      // What nobody reads here, and takes a fifth of the time of a start.
      "--performance-schema-digests-size=0", "--performance-schema-error-size=0",
      "--performance-schema-max-memory-classes=0", "--performance-schema-events-statements-history-long-size=0",
      "--performance-schema-events-stages-history-long-size=0",
      "--performance-schema-events-transactions-history-long-size=0",
      "--performance-schema-events-waits-history-long-size=0"};
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  TRY_VOID(spawn(std::move(arguments), options_.defaults_file));
  const auto limit = steady_clock::now() + options_.patience;
  while (steady_clock::now() < limit) {
    if (auto answer = value("SELECT 1"); answer) return {};
    if (wait_end(kLook))
      return fail(ErrorKind::kRetry, "mysqld ended at its start; its log ends: {}", error_log_tail());
  }
  kill();
  return fail(ErrorKind::kRetry, "mysqld did not answer in time; its log ends: {}", error_log_tail());
}

void Mysqld::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  // A killed process ends; only one in an uninterruptible disk wait could be late, and then waiting is right.
  while (!wait_end(options_.patience)) continue;
}

Result<void> Mysqld::stop() {
  ENSURE(pid_ >= 0);
  ::kill(pid_, SIGTERM);
  if (wait_end(options_.patience)) return {};
  kill();
  return fail(ErrorKind::kRetry, "mysqld did not end after SIGTERM; its log ends: {}", error_log_tail());
}

void Mysqld::send_signal(int number) const {
  ENSURE(pid_ >= 0);
  ::kill(pid_, number);
}

Result<SqlRows> Mysqld::query(const std::string& statement) const {
  TRY(session, connect());
  return session.query(statement);
}

Result<std::string> Mysqld::value(const std::string& statement) const {
  TRY(session, connect());
  return session.value(statement);
}

Result<void> Mysqld::wait_for(const std::string& statement, const std::string& wanted) const {
  const auto limit = steady_clock::now() + options_.patience;
  std::string last;
  while (steady_clock::now() < limit) {
    const auto answer = value(statement);
    if (answer && *answer == wanted) return {};
    last = answer ? *answer : answer.error().what;
    wait_a_look(pidfd_);
  }
  return fail(ErrorKind::kCancelled, "{}: wanted \"{}\", last answer \"{}\"", statement, wanted, last);
}

std::string Mysqld::error_log_tail() const {
  constexpr std::size_t kTail = 2000;
  std::ifstream file(error_log());
  std::ostringstream text;
  text << file.rdbuf();
  const std::string whole = std::move(text).str();
  return whole.substr(whole.size() - std::min(whole.size(), kTail));
}

Result<void> Mysqld::spawn(std::vector<std::string> arguments, const std::filesystem::path& defaults) {
  // secure_file_priv: its compiled-in folder does not exist outside of a full installation.
  const std::vector<std::string> first{
      "mysqld",
      defaults.empty() ? "--no-defaults" : std::format("--defaults-file={}", defaults.string()),
      std::format("--datadir={}", data_dir().string()),
      std::format("--log-error={}", error_log().string()),
      std::format("--pid-file={}", (folder_ / "mysqld.pid").string()),
      "--user=root",
      "--secure-file-priv=NULL",
      "--mysqlx=OFF"};
  arguments.insert(arguments.begin(), first.begin(), first.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(ErrorKind::kRetry, "fork: {}", std::strerror(errno));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);  // The test had ended before the line above.
    ::execvp("mysqld", argv.data());
    ::_exit(127);
  }
  pid_ = child;
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  ENSURE(pidfd_ >= 0);
  return {};
}

std::optional<int> Mysqld::wait_end(milliseconds limit) {
  pollfd watched{.fd = pidfd_, .events = POLLIN, .revents = 0};
  if (::poll(&watched, 1, static_cast<int>(limit.count())) <= 0) return std::nullopt;
  int status = 0;
  ENSURE(::waitpid(pid_, &status, 0) == pid_);
  ::close(pidfd_);
  pid_ = -1;
  pidfd_ = -1;
  return status;
}

}  // namespace baton::test
