#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "sidecar/binlog/log_index.h"

namespace baton::binlog {

/// Keeps a LogIndex warm on a thread of its own. It looks at the files every `interval` and whenever told to; a look at
/// files that nobody has touched costs a few system calls. Thread-safe.
class LogTail {
 public:
  /// What is known of mysqld at this moment; only is_alive and published count. Nothing: there are no logs of value
  /// now, so that nothing is read and what was known is forgotten. Called on the tail's thread when a look begins; must
  /// not block.
  using Facts = std::function<std::optional<LogIndex::Step>()>;

  /// What is known, all at one moment.
  struct Known {
    std::shared_ptr<const LogSnapshot> snapshot;  ///< Never null.
    std::uint64_t last = 0;                       ///< The number of the last look that has ended; 0: none has.
    /// The number of the last look that read all there was to read. The snapshot is not older.
    std::uint64_t complete = 0;
    std::optional<Error> failure;  ///< Why the last look failed.
  };

  /// `on_look`: called on the tail's thread after each look, whatever it found; may be empty.
  LogTail(std::vector<LogListing> listings, Facts facts, std::chrono::milliseconds interval,
          std::function<void()> on_look = {});

  [[nodiscard]] Known known() const;
  /// What is known now. Never null.
  [[nodiscard]] std::shared_ptr<const LogSnapshot> latest() const;
  /// Why the last look failed; empty when it did not.
  [[nodiscard]] std::optional<Error> failure() const;
  /// Asks for a look now: mysqld has ended, or published more. Gives the number of the next look, which begins after
  /// this call; looks are numbered as they begin, from 1.
  std::uint64_t poke();
  /// Waits until there is another snapshot than `known`, a stop, or the deadline; gives the newest.
  [[nodiscard]] std::shared_ptr<const LogSnapshot> wait_newer(const std::shared_ptr<const LogSnapshot>& known,
                                                              const std::stop_token& stop,
                                                              std::chrono::steady_clock::time_point deadline) const;
  /// Waits until this look, or a later one, has read all there was to read; false after a stop or the deadline.
  bool wait_complete(std::uint64_t look, const std::stop_token& stop,
                     std::chrono::steady_clock::time_point deadline) const;

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] Result<bool> look(const std::stop_token& stop);

  const std::vector<LogListing> listings_;
  LogIndex index_;  ///< Of the thread alone.
  Facts facts_;
  std::function<void()> on_look_;
  std::chrono::milliseconds interval_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  Known known_;
  std::uint64_t begun_ = 0;  ///< Looks.
  bool poked_ = false;
  std::jthread thread_;
};

}  // namespace baton::binlog
