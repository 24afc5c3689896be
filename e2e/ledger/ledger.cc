#include "e2e/ledger/ledger.h"

#include <algorithm>
#include <utility>

namespace baton::ledger {
namespace {

constexpr std::chrono::milliseconds kWorthTelling{50};

Wall wall_now() { return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

}  // namespace

void Ledger::acknowledged(Row row) {
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  rows_.insert(row);
  if (last_ != Steady{}) {
    const auto length = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_);
    longest_ = std::max(longest_, length);
    if (length >= kWorthTelling) gaps_.push_back({length, last_wall_, wall_now()});
  }
  last_ = now;
  last_wall_ = wall_now();
}

void Ledger::unknown() {
  const std::scoped_lock lock(mutex_);
  ++unknown_;
}

std::int64_t Ledger::count() const {
  const std::scoped_lock lock(mutex_);
  return std::ssize(rows_);
}

std::int64_t Ledger::unknown_count() const {
  const std::scoped_lock lock(mutex_);
  return unknown_;
}

std::set<Row> Ledger::rows() const {
  const std::scoped_lock lock(mutex_);
  return rows_;
}

std::vector<Gap> Ledger::new_gaps() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(gaps_, {});
}

std::chrono::milliseconds Ledger::longest_gap() const {
  const std::scoped_lock lock(mutex_);
  return longest_;
}

}  // namespace baton::ledger
