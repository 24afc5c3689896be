#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "sidecar/replication/log_source.h"

namespace baton::replication {

/// Who waits for more of a log source. Thread-safe; outlives its subscriptions.
class WakeList {
 public:
  /// `wake` is called by each wake_all() from now on, until the subscription goes.
  [[nodiscard]] std::unique_ptr<LogSource::Subscription> add(std::function<void()> wake);
  void wake_all();

 private:
  class Entry;

  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::function<void()>> wakes_;
};

}  // namespace baton::replication
