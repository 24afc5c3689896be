#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "sidecar/binlog/log_index.h"

namespace baton::binlog {

/// Keeps a LogIndex warm on a thread of its own. It looks at the files every `interval` and whenever told to; a look at
/// files that nobody has touched costs a few system calls. Thread-safe.
class LogTail {
 public:
  /// What is known of mysqld at this moment; only is_alive and published count. Called on the tail's thread before each
  /// look; must not block.
  using Facts = std::function<LogIndex::Step()>;

  /// `on_change`: called on the tail's thread after latest() has become another; may be empty.
  LogTail(std::vector<LogListing> listings, Facts facts, std::chrono::milliseconds interval,
          std::function<void()> on_change = {});

  /// What is known now. Never null.
  [[nodiscard]] std::shared_ptr<const LogSnapshot> latest() const;
  /// Why the last look failed; empty when it did not.
  [[nodiscard]] std::optional<Error> failure() const;
  /// Asks for a look now: mysqld has ended, or published more.
  void poke();
  /// Waits until there is another snapshot than `known`, a stop, or the deadline; gives the newest.
  [[nodiscard]] std::shared_ptr<const LogSnapshot> wait_newer(const std::shared_ptr<const LogSnapshot>& known,
                                                              const std::stop_token& stop,
                                                              std::chrono::steady_clock::time_point deadline) const;

 private:
  void run(const std::stop_token& stop);

  LogIndex index_;  ///< Of the thread alone.
  Facts facts_;
  std::function<void()> on_change_;
  std::chrono::milliseconds interval_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::shared_ptr<const LogSnapshot> latest_;
  std::optional<Error> failure_;
  bool poked_ = false;
  std::jthread thread_;
};

}  // namespace baton::binlog
