#include "e2e/ledger/ledger.h"

#include <algorithm>

namespace baton::ledger {
namespace {

constexpr std::chrono::milliseconds kWorthKeeping{50};
constexpr std::size_t kGapsKept = 5;

Wall wall_now() { return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

}  // namespace

void Ledger::acknowledged(Row row) {
  const auto now = std::chrono::steady_clock::now();
  const std::scoped_lock lock(mutex_);
  rows_.insert(row);
  if (last_ != Steady{}) {
    const auto length = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_);
    if (gaps_.empty() || length >= kWorthKeeping || length > gaps_.front().length) {
      gaps_.push_back({length, last_wall_, wall_now()});
      std::ranges::sort(gaps_, std::greater{}, &Gap::length);
      if (gaps_.size() > 1 && gaps_.back().length < kWorthKeeping) gaps_.pop_back();
      if (gaps_.size() > kGapsKept) gaps_.pop_back();
    }
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

std::vector<Gap> Ledger::longest_gaps() const {
  const std::scoped_lock lock(mutex_);
  return gaps_;
}

}  // namespace baton::ledger
