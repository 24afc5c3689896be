#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "engine/base/ids.h"

namespace baton::kube {

/// Which key is worked on next. Pure: time is an argument. The rules:
///
///  - a key runs once at a time; what is added while it runs makes it run once more afterwards;
///  - added many times before it is taken, it runs once;
///  - of several times at which a key is due the earliest wins, and the others are forgotten;
///  - failures of a key put it off longer and longer, until forget() is called for it.
template <class Key>
class WorkQueueCore {
 public:
  struct Limits {
    Duration first = std::chrono::milliseconds(50);
    Duration longest = std::chrono::seconds(30);
  };
  explicit WorkQueueCore(Limits limits = {}) : limits_(limits) {}

  void add(const Key& key) {
    delayed_.erase(key);
    if (!wanted_.insert(key).second || running_.contains(key)) return;
    ready_.push_back(key);
  }
  void add_at(const Key& key, Instant due) {
    if (wanted_.contains(key)) return;  // It is due already.
    const auto [at, fresh] = delayed_.try_emplace(key, due);
    if (!fresh) at->second = std::min(at->second, due);
  }
  void add_failed(const Key& key, Instant now) {
    constexpr int kDoublings = 20;  // Beyond, the limit holds anyway, and the shift would overflow.
    const int failures = failures_[key]++;
    add_at(key, now + std::min(limits_.longest, limits_.first * (1 << std::min(failures, kDoublings))));
  }
  void forget(const Key& key) { failures_.erase(key); }

  /// The key that has waited longest among those that are due; it runs until done().
  [[nodiscard]] std::optional<Key> take(Instant now) {
    promote(now);
    if (ready_.empty()) return std::nullopt;
    Key key = std::move(ready_.front());
    ready_.pop_front();
    wanted_.erase(key);
    running_.insert(key);
    return key;
  }
  void done(const Key& key) {
    running_.erase(key);
    if (wanted_.contains(key)) ready_.push_back(key);
  }

  /// When take() may have something that it does not have now; no value: only after an add.
  [[nodiscard]] std::optional<Instant> next_due() const {
    const auto first = std::ranges::min_element(delayed_, {}, [](const auto& entry) { return entry.second; });
    return first == delayed_.end() ? std::nullopt : std::optional(first->second);
  }

 private:
  void promote(Instant now) {
    std::deque<std::pair<Instant, Key>> due;
    for (const auto& [key, at] : delayed_) {
      if (at <= now) due.emplace_back(at, key);
    }
    std::ranges::stable_sort(due, {}, [](const auto& entry) { return entry.first; });
    for (const auto& [at, key] : due) add(key);
  }

  Limits limits_;
  std::deque<Key> ready_;  // In wanted_, not in running_.
  std::set<Key> wanted_;   // To run as soon as may be.
  std::set<Key> running_;
  std::map<Key, Instant> delayed_;  // Not in wanted_.
  std::map<Key, int> failures_;
};

}  // namespace baton::kube
