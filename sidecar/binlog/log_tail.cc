#include "sidecar/binlog/log_tail.h"

#include <utility>

namespace baton::binlog {
namespace {

/// So much is read at a time while there is a backlog: what is known is told at least about so often.
constexpr std::uint64_t kBytesAtATime = 128 * 1024 * 1024;

}  // namespace

LogTail::LogTail(std::vector<LogListing> listings, Facts facts, std::chrono::milliseconds interval,
                 std::function<void()> on_look)
    : listings_(std::move(listings)),
      index_(listings_),
      facts_(std::move(facts)),
      on_look_(std::move(on_look)),
      interval_(interval),
      known_{.snapshot = index_.snapshot(), .failure = {}} {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

LogTail::Known LogTail::known() const {
  const std::scoped_lock lock(mutex_);
  return known_;
}

std::shared_ptr<const LogSnapshot> LogTail::latest() const {
  const std::scoped_lock lock(mutex_);
  return known_.snapshot;
}

std::optional<Error> LogTail::failure() const {
  const std::scoped_lock lock(mutex_);
  return known_.failure;
}

std::uint64_t LogTail::poke() {
  const std::scoped_lock lock(mutex_);
  poked_ = true;
  changed_.notify_all();
  return begun_ + 1;
}

std::shared_ptr<const LogSnapshot> LogTail::wait_newer(const std::shared_ptr<const LogSnapshot>& known,
                                                       const std::stop_token& stop,
                                                       std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, stop, deadline, [&] { return known_.snapshot != known; });
  return known_.snapshot;
}

bool LogTail::wait_complete(std::uint64_t look, const std::stop_token& stop,
                            std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, stop, deadline, [&] { return known_.complete >= look; });
}

void LogTail::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::uint64_t number = 0;
    {
      const std::scoped_lock lock(mutex_);
      number = ++begun_;
      poked_ = false;
    }
    const auto done = look(stop);
    const bool is_backlog = done && !*done;
    {
      const std::scoped_lock lock(mutex_);
      known_.snapshot = index_.snapshot();
      known_.last = number;
      known_.failure = done ? std::nullopt : std::optional(done.error());
      if (done && *done) known_.complete = number;
      changed_.notify_all();
    }
    if (on_look_) on_look_();
    if (is_backlog) continue;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, interval_, [this] { return poked_; });
  }
}

Result<bool> LogTail::look(const std::stop_token& stop) {
  auto step = facts_();
  if (!step) {
    if (!index_.snapshot()->logs.empty()) index_ = LogIndex(listings_);
    return true;
  }
  step->most = kBytesAtATime;
  step->stop = stop;
  return index_.advance(*step);
}

}  // namespace baton::binlog
