#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

#include "engine/base/ids.h"
#include "sidecar/wire/member_state.h"

namespace baton::sidecar {

/// An answer of mysqld that is older than that is not its word any more; four times the pace of asking.
inline constexpr Duration kStaleAnswer = std::chrono::seconds(2);

/// The newest state of the member, for all who show it. Thread-safe.
///
/// Whoever takes it learns nothing of mysqld that is older than kStaleAnswer, even if nothing is published any more
/// because the thread that asks, or one that it waits for, hangs: a server that hangs must not look like one that
/// acknowledges.
class StateBoard {
 public:
  /// Wakes the waiting ones if it is news. `answered`: when mysqld answered last.
  void publish(const wire::MemberState& state, Instant answered);
  /// Looks at the newest state under the lock: `what` must be short.
  template <class Look>
  [[nodiscard]] auto look(Look&& what) const {
    const std::scoped_lock lock(mutex_);
    return what(state_);
  }
  /// The newest state with a sequence of its own: a higher one is never older.
  [[nodiscard]] wire::MemberState take(Instant now);
  /// Raised by each piece of news.
  [[nodiscard]] std::uint64_t version() const;
  /// Waits for news after `version`; false when `limit` passed or stop was asked first.
  bool wait_past(const std::stop_token& stop, std::uint64_t version, Duration limit) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable_any news_;
  wire::MemberState state_;
  Instant answered_{};
  std::uint64_t version_ = 0;
  std::int64_t sequence_ = 0;
};

}  // namespace baton::sidecar
