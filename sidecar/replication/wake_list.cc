#include "sidecar/replication/wake_list.h"

#include <utility>

namespace baton::replication {

class WakeList::Entry final : public LogSource::Subscription {
 public:
  Entry(WakeList& list, std::uint64_t number) : list_(list), number_(number) {}
  ~Entry() override {
    const std::scoped_lock lock(list_.mutex_);
    list_.wakes_.erase(number_);
  }

 private:
  WakeList& list_;
  std::uint64_t number_;
};

std::unique_ptr<LogSource::Subscription> WakeList::add(std::function<void()> wake) {
  const std::scoped_lock lock(mutex_);
  wakes_.emplace(++last_, std::move(wake));
  return std::make_unique<Entry>(*this, last_);
}

void WakeList::wake_all() {
  const std::scoped_lock lock(mutex_);
  for (const auto& [number, wake] : wakes_) wake();
}

}  // namespace baton::replication
