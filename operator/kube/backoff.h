#pragma once

#include <algorithm>
#include <random>

#include "engine/base/ids.h"

namespace baton::kube {

/// Waits that double with each failure, up to a limit, each shortened by a random part of up to a half, so that many
/// clients of one server that restarts do not return at once. For one thread.
class Backoff {
 public:
  Backoff(Duration first, Duration limit)
      : first_(first), limit_(limit), next_(first), random_(std::random_device()()) {}

  /// The wait after one more failure.
  [[nodiscard]] Duration next() {
    const auto whole = next_.count();
    next_ = std::min(limit_, next_ * 2);
    return Duration(std::uniform_int_distribution<Duration::rep>(whole - whole / 2, whole)(random_));
  }
  void reset() { next_ = first_; }

 private:
  Duration first_;
  Duration limit_;
  Duration next_;
  std::mt19937_64 random_;
};

}  // namespace baton::kube
