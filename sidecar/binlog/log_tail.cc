#include "sidecar/binlog/log_tail.h"

#include <utility>

namespace baton::binlog {
namespace {

/// So much is read at a time while there is a backlog: what is known is told at least about so often.
constexpr std::uint64_t kBytesAtATime = 128 * 1024 * 1024;

}  // namespace

LogTail::LogTail(std::vector<LogListing> listings, Facts facts, std::chrono::milliseconds interval,
                 std::function<void()> on_change)
    : index_(std::move(listings)),
      facts_(std::move(facts)),
      on_change_(std::move(on_change)),
      interval_(interval),
      latest_(index_.snapshot()) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

std::shared_ptr<const LogSnapshot> LogTail::latest() const {
  const std::scoped_lock lock(mutex_);
  return latest_;
}

std::optional<Error> LogTail::failure() const {
  const std::scoped_lock lock(mutex_);
  return failure_;
}

void LogTail::poke() {
  const std::scoped_lock lock(mutex_);
  poked_ = true;
  changed_.notify_all();
}

std::shared_ptr<const LogSnapshot> LogTail::wait_newer(const std::shared_ptr<const LogSnapshot>& known,
                                                       const std::stop_token& stop,
                                                       std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, stop, deadline, [&] { return latest_ != known; });
  return latest_;
}

void LogTail::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    LogIndex::Step step = facts_();
    step.most = kBytesAtATime;
    step.stop = stop;
    const auto done = index_.advance(step);
    std::unique_lock lock(mutex_);
    failure_ = done ? std::nullopt : std::optional(done.error());
    if (latest_ != index_.snapshot()) {
      latest_ = index_.snapshot();
      changed_.notify_all();
      lock.unlock();
      if (on_change_) on_change_();
      lock.lock();
    }
    if (done && !*done) continue;  // There is a backlog.
    changed_.wait_for(lock, stop, interval_, [this] { return poked_; });
    poked_ = false;
  }
}

}  // namespace baton::binlog
