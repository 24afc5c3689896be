#include "sidecar/replication/indexed_log_source.h"

#include <format>

namespace baton::replication {

class IndexedLogSource::Entry final : public Subscription {
 public:
  Entry(IndexedLogSource& logs, std::uint64_t number) : logs_(logs), number_(number) {}
  ~Entry() override {
    const std::scoped_lock lock(logs_.mutex_);
    logs_.wakes_.erase(number_);
  }

 private:
  IndexedLogSource& logs_;
  std::uint64_t number_;
};

Result<LogSource::Opened> IndexedLogSource::open(const GtidSet& have) {
  const auto snapshot = latest_();
  if (GtidSet missing = snapshot->unavailable(have, outside_()); !missing.empty()) {
    if (!snapshot->is_complete) return fail(ErrorKind::kRetry, "the logs are still being read");
    if (!snapshot->problems.empty()) return std::unexpected(snapshot->problems.front());
    return Opened(Refusal{Refusal::Reason::kPurged, std::move(missing)});
  }
  return Opened(std::make_unique<binlog::LogStream>(latest_, have));
}

LogSource::Sets IndexedLogSource::sets() {
  const auto snapshot = latest_();
  Sets sets{.executed = snapshot->executed.united(outside_()), .purged = {}};
  sets.purged = sets.executed.minus(snapshot->available);
  return sets;
}

std::unique_ptr<LogSource::Subscription> IndexedLogSource::subscribe(std::function<void()> wake) {
  const std::scoped_lock lock(mutex_);
  wakes_.emplace(++last_, std::move(wake));
  return std::make_unique<Entry>(*this, last_);
}

void IndexedLogSource::notify() {
  const std::scoped_lock lock(mutex_);
  for (const auto& [number, wake] : wakes_) wake();
}

}  // namespace baton::replication
