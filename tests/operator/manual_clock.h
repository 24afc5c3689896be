#pragma once

#include <mutex>

#include "operator/base/clock.h"

namespace baton::test {

/// Time that moves only when told. Thread-safe.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    const std::scoped_lock lock(mutex_);
    return now_;
  }
  [[nodiscard]] WallTime wall() const override {
    const std::scoped_lock lock(mutex_);
    return WallTime(std::chrono::seconds(1'700'000'000)) + now_.time_since_epoch();
  }
  void advance(Duration by) {
    const std::scoped_lock lock(mutex_);
    now_ += by;
  }

 private:
  mutable std::mutex mutex_;
  Instant now_{std::chrono::hours(1)};
};

}  // namespace baton::test
