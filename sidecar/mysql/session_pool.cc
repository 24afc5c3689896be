#include "sidecar/mysql/session_pool.h"

#include <algorithm>
#include <condition_variable>

namespace baton::sidecar {

SqlLease::~SqlLease() {
  if (session_ && !session_->lost()) pool_.give_back(std::move(*session_));
}

SqlResult<SqlLease> SessionPool::take(const std::stop_token& stop) {
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(idle_, [](const Session& session) { return session.lost(); });
    if (!idle_.empty()) {
      Session session = std::move(idle_.back());
      idle_.pop_back();
      return SqlLease(*this, std::move(session), stop);
    }
  }
  auto session = Session::connect(library_, endpoint_, limits_, stop);
  if (!session) return std::unexpected(std::move(session).error());
  if (auto set = session->run(stop, "SET SESSION sql_log_bin=0, lock_wait_timeout=5"); !set) {
    return std::unexpected(std::move(set).error());
  }
  return SqlLease(*this, *std::move(session), stop);
}

void SessionPool::give_back(Session session) {
  const std::scoped_lock lock(mutex_);
  if (idle_.size() < keep_) idle_.push_back(std::move(session));
}

Result<bool> look_until(const std::stop_token& stop, std::chrono::milliseconds limit, std::chrono::milliseconds pause,
                        const std::function<Result<bool>()>& look) {
  const auto end = std::chrono::steady_clock::now() + limit;
  std::mutex mutex;
  std::condition_variable_any nobody_notifies;
  while (true) {
    TRY(seen, look());
    if (seen) return true;
    const auto now = std::chrono::steady_clock::now();
    if (now >= end) return false;
    std::unique_lock lock(mutex);
    nobody_notifies.wait_until(lock, stop, std::min(end, now + pause), [] { return false; });
    if (stop.stop_requested()) return fail(ErrorKind::kCancelled, "the wait was stopped");
  }
}

}  // namespace baton::sidecar
