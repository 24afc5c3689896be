#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "operator/base/clock.h"
#include "operator/base/log.h"
#include "sidecar/local/config.h"
#include "sidecar/local/epoch_file.h"
#include "sidecar/local/gate_link.h"
#include "sidecar/local/member_machine.h"
#include "sidecar/local/process_watch.h"
#include "sidecar/local/state_board.h"

namespace baton::sidecar {

/// A MemberMachine at work: one lock owns it; whoever has an input takes the lock, hands the input in, and does what
/// the machine asks (gate, process watch, log scan) before letting go. Every change is published on the board at once.
/// Thread-safe.
///
/// The epoch file is written without the lock, by a thread that does nothing else: a disk that hangs keeps nobody from
/// seeing mysqld end, from killing it, from telling either, or from asking how it is. Who needs what he wrote to be on
/// disk waits for that, with the lock free and not for ever. (Rejected: to let the lock be passed by who cannot wait,
/// as kill_past_lock does. Each of those would need a way around the machine, and what it knows would be wrong
/// meanwhile.)
class Member {
 public:
  /// Reads the epoch file or makes the first one (or goes on trying, with each tick), looks for a running mysqld, opens
  /// the gate's socket.
  [[nodiscard]] static Result<std::unique_ptr<Member>> start(const Config& config, const Clock& clock,
                                                             const Logger& log);
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  [[nodiscard]] StateBoard& board() { return board_; }
  /// What is told now.
  [[nodiscard]] wire::MemberState state() { return board_.take(clock_.now()); }
  [[nodiscard]] const Config& config() const { return config_; }

  /// How long anybody waits for the epoch file to be written.
  static constexpr Duration kSaveLimit = std::chrono::seconds(4);

  /// Runs `input(machine)` under the lock and does the Effects that it returns. If they want the record to be saved,
  /// waits until it is on disk. kRetry: it could not be written, or not within kSaveLimit; the machine keeps trying.
  Result<void> apply(const std::function<Effects(MemberMachine&)>& input);
  /// The same for an input that may refuse.
  Result<void> try_apply(const std::function<Result<Effects>(MemberMachine&)>& input);
  /// The same for news, which nobody needs to be on disk: never waits for it.
  void tell(const std::function<Effects(MemberMachine&)>& input);
  /// Looks at the machine under the lock.
  template <class Look>
  [[nodiscard]] auto look(Look&& what) const {
    const std::scoped_lock lock(mutex_);
    return what(machine_);
  }
  /// Waits until `condition` holds; false when `limit` passed or stop was asked first.
  bool wait(const std::stop_token& stop, Duration limit, const std::function<bool(const MemberMachine&)>& condition);

  /// For Fence when the lock is held by somebody who does not give it back: kills mysqld without it, if the order is
  /// not below the highest seen. Afterwards the order is carried out as any other.
  void kill_past_lock(const wire::Order& order);

  /// `begin_scan(scan)` is called, under the lock, when the logs of a mysqld that is down are to be read; at once if
  /// that was so before. Must not block; MemberMachine::on_logs takes the answer. Empty: nobody reads them.
  void on_scan(std::function<void(int scan)> begin_scan);

  /// The sidecar got SIGTERM, which comes after the end of mysqld's container.
  void on_sidecar_terminating();
  /// Lets mysqld's backoff go on and retries what could not be read or written. Every 500 ms, and every 30 ms until a
  /// mysqld that was started answers.
  void tick();
  [[nodiscard]] Instant now() const { return clock_.now(); }

 private:
  Member(const Config& config, const Clock& clock, Logger log, MemberMachine machine);

  void on_gate_message(const GateMessage& message);
  [[nodiscard]] Result<Effects> read_gate_message(const GateMessage& message, MemberMachine& machine);
  Result<std::uint64_t> absorb(const std::function<Result<Effects>(MemberMachine&)>& input);
  Result<void> await_save(std::unique_lock<std::timed_mutex>& lock, std::uint64_t number);
  void write_records(const std::stop_token& stop);
  void write_record(std::unique_lock<std::timed_mutex>& lock);
  bool perform(Effects effects);
  Effects act(GateAction action);
  [[nodiscard]] Result<void> prepare_start() const;
  void read_record_again();
  void test_data_lock();
  void log_changes(const wire::MemberState& before) const;

  Config config_;
  const Clock& clock_;
  Logger log_;
  EpochFile file_;  ///< Of the writer, and of who looks for a record while there is none.
  StateBoard board_;
  mutable std::timed_mutex mutex_;
  std::condition_variable_any changed_;
  MemberMachine machine_;
  bool scan_wanted_ = false;  ///< Before anybody was there who scans.
  std::atomic<std::int64_t> epoch_seen_ = 0;
  std::atomic<std::int64_t> revision_seen_ = 0;
  std::unique_ptr<GateLink> link_;
  std::function<void(int scan)> begin_scan_;
  // Savings are numbered as they are asked for. One serves all that were asked for before it began.
  std::uint64_t saves_asked_ = 0;
  std::uint64_t saves_tried_ = 0;
  std::uint64_t saves_done_ = 0;
  std::optional<Error> save_failure_;  ///< Of the last attempt.
  // Last: their threads use all of the above, and end first.
  ProcessWatch watch_;
  std::jthread writer_;
};

/// Makes sure that auto.cnf names this server_uuid. Errors: kCorrupt when it names another one (somebody exchanged the
/// data directory); kRetry.
[[nodiscard]] Result<void> ensure_auto_cnf(const std::filesystem::path& data_directory, const std::string& uuid);

}  // namespace baton::sidecar
