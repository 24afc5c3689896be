#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "operator/base/clock.h"
#include "operator/base/http.h"
#include "sidecar/wire/order.h"
#include "tests/support/mysqld.h"

namespace baton::test {

/// A child process of the test; killed by the destructor, and with the thread that started it.
class Program {
 public:
  /// Output goes to `log`.
  Program(std::vector<std::string> arguments, const std::filesystem::path& log);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send_signal(int signal) const;
  /// Kills it at once and waits for its end.
  void kill();
  /// waitpid's status; nothing if it runs on after `limit`.
  std::optional<int> wait_end(std::chrono::milliseconds limit);

 private:
  pid_t pid_ = -1;
};

/// A member as its pod would run it, without Kubernetes: volume, run folder, my.cnf, certificates and token in a
/// temporary folder, and the processes baton-sidecar and baton-gate. mysqld is on PATH.
class Pod {
 public:
  explicit Pod(std::string name);
  ~Pod();
  Pod(const Pod&) = delete;
  Pod& operator=(const Pod&) = delete;

  /// Trusts another pod's CA, as members of one cluster do. Before start.
  void share_authority(const Pod& other);
  /// Makes <file>.crt and .key of the Secret, signed by its CA.
  void issue(const std::string& file, int days) const;
  /// The Secret's token as the sidecar sees it.
  void mount_token(const std::string& token) const;
  void start_sidecar();
  void start_gate();
  [[nodiscard]] Program& sidecar() { return *sidecar_; }
  [[nodiscard]] Program& gate() { return *gate_; }
  /// SIGKILL.
  void kill_sidecar();

  /// Gives an order with the pod's epoch and revision and waits for the answer.
  [[nodiscard]] Result<wire::OrderResult> give(const wire::Command& command);
  /// The same; the test fails here if the order is refused.
  wire::MemberState must(const wire::Command& command);
  /// The newest state on the stream.
  [[nodiscard]] wire::MemberState state() const;
  /// Waits until the stream shows such a state, looking at every line; the time it took, or nothing.
  [[nodiscard]] std::optional<std::chrono::milliseconds> wait_state(
      const std::function<bool(const wire::MemberState&)>& wanted,
      std::chrono::milliseconds limit = std::chrono::seconds(60));
  /// Initialize, SetAckCount 0, Open: a writable primary of its own.
  void become_primary();

  [[nodiscard]] HttpPort& http() { return *http_; }
  /// Status and body of a request to the plain port.
  [[nodiscard]] Result<HttpResponse> get_plain(const std::string& path);
  /// A client that presents another token.
  [[nodiscard]] std::unique_ptr<HttpPort> http_with_token(const std::string& token);
  [[nodiscard]] SqlSession sql() const;
  [[nodiscard]] pid_t mysqld_pid() const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::uint16_t mysql_port() const { return mysql_port_; }
  /// Of the sidecar's binlog server.
  [[nodiscard]] std::uint16_t log_port() const { return log_port_; }

  std::int64_t epoch = 1;
  std::int64_t revision = 1;

 private:
  void make_secrets();
  void read_stream(const std::stop_token& stop);

  std::string name_;
  std::filesystem::path folder_;
  std::uint16_t mysql_port_ = 0;
  std::uint16_t api_port_ = 0;
  std::uint16_t metrics_port_ = 0;
  std::uint16_t log_port_ = 0;
  SystemClock clock_;
  std::unique_ptr<HttpPort> http_;
  std::unique_ptr<Program> sidecar_;
  std::unique_ptr<Program> gate_;
  mutable std::mutex mutex_;
  std::condition_variable_any news_;
  wire::MemberState state_;
  std::jthread stream_;
};

inline void start(Pod& pod) {
  pod.start_sidecar();
  pod.start_gate();
}

inline bool is_running(const wire::MemberState& state) { return state.process == wire::Process::kRunning; }
inline bool is_down(const wire::MemberState& state) { return state.process == wire::Process::kNotRunning; }
inline bool logs_read(const wire::MemberState& state) { return is_down(state) && state.logs_readable; }

}  // namespace baton::test
