#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "operator/base/clock.h"
#include "operator/kube/work_queue_core.h"

namespace baton::kube {

/// WorkQueueCore for many threads. The clock must outlive the queue.
template <class Key>
class WorkQueue {
 public:
  using Limits = typename WorkQueueCore<Key>::Limits;

  /// A key that is being worked on. Its end gives the key back, whatever happened.
  class Claim {
   public:
    Claim(Claim&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), key_(std::move(other.key_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (queue_ != nullptr) queue_->change([&](auto& core) { core.done(key_); });
    }
    [[nodiscard]] const Key& key() const { return key_; }
    /// Past failures are forgotten; the key comes again after this time, if one is given.
    void succeeded(std::optional<Duration> again_after) {
      queue_->change([&](auto& core) {
        core.forget(key_);
        if (again_after) core.add_at(key_, queue_->clock_.now() + *again_after);
      });
    }
    /// The key comes again, later with each failure in a row.
    void failed() {
      queue_->change([&](auto& core) { core.add_failed(key_, queue_->clock_.now()); });
    }

   private:
    friend class WorkQueue;
    Claim(WorkQueue& queue, Key key) : queue_(&queue), key_(std::move(key)) {}
    WorkQueue* queue_;
    Key key_;
  };

  explicit WorkQueue(const Clock& clock, Limits limits = {}) : clock_(clock), core_(limits) {}

  void add(const Key& key) {
    change([&](auto& core) { core.add(key); });
  }
  void add_after(const Key& key, Duration delay) {
    change([&](auto& core) { core.add_at(key, clock_.now() + delay); });
  }
  /// Waits for a key; no value when stopped.
  [[nodiscard]] std::optional<Claim> take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      const Instant now = clock_.now();
      if (auto key = core_.take(now)) return Claim(*this, *std::move(key));
      constexpr Duration kLongest = std::chrono::minutes(1);
      const auto due = core_.next_due();
      const Duration wait = due ? std::clamp(*due - now, Duration::zero(), kLongest) : kLongest;
      const auto seen = changes_;
      changed_.wait_for(lock, stop, wait, [&] { return changes_ != seen; });
    }
    return std::nullopt;
  }

 private:
  template <class Do>
  void change(const Do& action) {
    {
      const std::scoped_lock lock(mutex_);
      action(core_);
      ++changes_;
    }
    changed_.notify_all();
  }

  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t changes_ = 0;
  WorkQueueCore<Key> core_;
};

}  // namespace baton::kube
