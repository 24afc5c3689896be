#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <semaphore>

#include "sidecar/binlog/log_tail.h"

namespace baton::test {

/// The facts of a dead server, for a LogTail whose second look is held at its beginning until it may go on: what is
/// known by then is what the first one read.
class HeldLook {
 public:
  HeldLook() = default;
  ~HeldLook() { go_on(); }
  HeldLook(const HeldLook&) = delete;
  HeldLook& operator=(const HeldLook&) = delete;

  [[nodiscard]] binlog::LogTail::Facts facts() const {
    return [shared = shared_, looks = 0]() mutable {
      if (++looks == 2) {
        shared->is_held.release();
        static_cast<void>(shared->may_go_on.try_acquire_for(kLimit));
      }
      return std::optional(binlog::LogIndex::Step{});
    };
  }
  /// Waits until it is held; false when it never is.
  [[nodiscard]] bool wait() const { return shared_->is_held.try_acquire_for(kLimit); }
  void go_on() const { shared_->may_go_on.release(); }

 private:
  static constexpr std::chrono::seconds kLimit{20};

  struct Shared {
    std::counting_semaphore<> is_held{0};
    std::counting_semaphore<> may_go_on{0};
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace baton::test
