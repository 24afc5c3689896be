#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/mysql/mysql_session.h"

namespace baton::sidecar {

class SessionPool;

/// A session on loan, and the stop token of the call that it is for. Goes back to its pool by itself, unless it was
/// lost.
class SqlLease {
 public:
  SqlLease(SqlLease&& other) noexcept
      : pool_(other.pool_), session_(std::exchange(other.session_, std::nullopt)), stop_(std::move(other.stop_)) {}
  SqlLease& operator=(SqlLease&&) = delete;
  ~SqlLease();

  [[nodiscard]] SqlResult<Rows> query(const std::string& statement) { return session_->query(stop_, statement); }
  [[nodiscard]] SqlResult<void> run(const std::string& statement) { return session_->run(stop_, statement); }
  [[nodiscard]] SqlResult<std::string> value(const std::string& statement) { return session_->value(stop_, statement); }
  [[nodiscard]] const std::stop_token& stop() const { return stop_; }
  /// A session whose settings were changed must not be used again.
  void drop() { session_.reset(); }

 private:
  friend class SessionPool;
  SqlLease(SessionPool& pool, Session session, std::stop_token stop)
      : pool_(pool), session_(std::move(session)), stop_(std::move(stop)) {}

  SessionPool& pool_;
  std::optional<Session> session_;
  std::stop_token stop_;
};

/// Sessions of the local administrator. The first ones are kept for good: when clients use up max_connections, only one
/// more session of an administrator gets in. Thread-safe.
class SessionPool {
 public:
  /// `keep`: how many idle sessions stay open.
  SessionPool(const MysqlLibrary& library, Endpoint endpoint, SessionLimits limits, std::size_t keep)
      : library_(library), endpoint_(std::move(endpoint)), limits_(limits), keep_(keep) {}

  /// An idle session, or a new one with sql_log_bin=0 and lock_wait_timeout=5.
  [[nodiscard]] SqlResult<SqlLease> take(const std::stop_token& stop);

 private:
  friend class SqlLease;
  void give_back(Session session);

  const MysqlLibrary& library_;
  Endpoint endpoint_;
  SessionLimits limits_;
  std::size_t keep_;
  std::mutex mutex_;
  std::vector<Session> idle_;
};

/// Counts up when it begins and when it ends, so that the number is odd meanwhile.
class Odd {
 public:
  explicit Odd(std::atomic<std::uint64_t>& count) : count_(count) { ++count_; }
  ~Odd() { ++count_; }
  Odd(const Odd&) = delete;
  Odd& operator=(const Odd&) = delete;

 private:
  std::atomic<std::uint64_t>& count_;
};

/// Calls `look` until it says true: true; until `limit` has passed: false; or until it fails or stop is asked
/// (kCancelled). Looks at once, then every `pause`.
[[nodiscard]] Result<bool> look_until(const std::stop_token& stop, std::chrono::milliseconds limit,
                                      std::chrono::milliseconds pause, const std::function<Result<bool>()>& look);

}  // namespace baton::sidecar
