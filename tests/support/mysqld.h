#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"

struct MYSQL;

namespace baton::test {

/// The rows of one answer; a NULL is an empty optional.
using SqlRow = std::vector<std::optional<std::string>>;
using SqlRows = std::vector<SqlRow>;

/// One connection over the unix socket or loopback TCP. Move-only; one thread at a time.
class SqlSession {
 public:
  /// Connects as root without password over a unix socket. Errors: kRetry with the client library's text.
  [[nodiscard]] static Result<SqlSession> over_socket(const std::filesystem::path& socket);

  /// Runs one statement and gives its rows (none for a statement without an answer).
  /// Errors: kRetry when the connection was lost, else kTerminal, with "errno: text".
  [[nodiscard]] Result<SqlRows> query(const std::string& statement);
  /// The first column of the first row. Errors: as query; kNotFound without a row or with NULL.
  [[nodiscard]] Result<std::string> value(const std::string& statement);
  /// Runs statements in order, up to the first that fails.
  [[nodiscard]] Result<void> run(const std::vector<std::string>& statements);

 private:
  struct Closer {
    void operator()(MYSQL* handle) const;
  };
  explicit SqlSession(std::unique_ptr<MYSQL, Closer> handle) : handle_(std::move(handle)) {}

  std::unique_ptr<MYSQL, Closer> handle_;
};

/// A real mysqld of this machine in a temporary folder of its own: data directory, socket, loopback port, error log.
/// The destructor kills it and removes the folder (kept when the environment has BATON_KEEP).
/// mysqld also dies with the *thread* that started it: start it from the test's main thread.
/// Not synchronised.
class Mysqld {
 public:
  struct Options {
    /// More options of mysqld, such as "--server-id=2". They come after the fixture's own and so win.
    std::vector<std::string> arguments;
    /// A my.cnf to be read instead of none. Its settings lose against the fixture's own.
    std::filesystem::path defaults_file{};
    /// The longest wait for --initialize, for readiness and for an orderly end, each.
    std::chrono::seconds patience{60};
  };

  /// Makes a data directory, starts mysqld in it and waits until it answers SQL. GTIDs and the binary log are on,
  /// names are binlog.* and relay.*, replication does not start by itself. About 3 s.
  [[nodiscard]] static Result<std::unique_ptr<Mysqld>> create(Options options);
  [[nodiscard]] static Result<std::unique_ptr<Mysqld>> create() { return create(Options{}); }

  Mysqld(const Mysqld&) = delete;
  Mysqld& operator=(const Mysqld&) = delete;
  ~Mysqld();

  /// Starts mysqld again after kill() or stop(), with `more` behind the options of create, and waits until it answers.
  /// Errors: kRetry when it ended or did not answer in time, with the end of its error log.
  [[nodiscard]] Result<void> start(const std::vector<std::string>& more = {});
  /// SIGKILL, and waits until the process is gone. Does nothing when it does not run.
  void kill();
  /// SIGTERM, and waits for an orderly end. Errors: kRetry when it did not end in time (it is killed then).
  [[nodiscard]] Result<void> stop();
  /// Sends any signal to the running process: SIGSTOP, SIGCONT…
  void send_signal(int number) const;

  /// A fresh connection as root.
  [[nodiscard]] Result<SqlSession> connect() const { return SqlSession::over_socket(socket()); }
  /// One statement over a fresh connection.
  [[nodiscard]] Result<SqlRows> query(const std::string& statement) const;
  /// One value over a fresh connection.
  [[nodiscard]] Result<std::string> value(const std::string& statement) const;
  /// Waits until `statement` gives `wanted`. Errors: kCancelled with the last answer when the patience is over.
  [[nodiscard]] Result<void> wait_for(const std::string& statement, const std::string& wanted) const;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::filesystem::path data_dir() const { return folder_ / "data"; }
  [[nodiscard]] std::filesystem::path socket() const { return folder_ / "mysqld.sock"; }
  [[nodiscard]] std::filesystem::path error_log() const { return folder_ / "error.log"; }
  [[nodiscard]] std::filesystem::path binlog_index() const { return data_dir() / "binlog.index"; }
  /// The last 2,000 characters of the error log.
  [[nodiscard]] std::string error_log_tail() const;

 private:
  Mysqld(std::filesystem::path folder, Options options, std::uint16_t port)
      : folder_(std::move(folder)), options_(std::move(options)), port_(port) {}

  /// From the folder that BATON_DATA_TEMPLATE names, which the first one leaves there; else by mysqld itself.
  [[nodiscard]] Result<void> make_data_dir();
  [[nodiscard]] Result<void> initialize(const std::filesystem::path& defaults);
  [[nodiscard]] Result<void> spawn(std::vector<std::string> arguments, const std::filesystem::path& defaults);
  /// Waits at most `limit` for the process to end; the exit status of waitpid, or nothing.
  std::optional<int> wait_end(std::chrono::milliseconds limit);

  std::filesystem::path folder_;
  Options options_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
  int pidfd_ = -1;
};

}  // namespace baton::test
