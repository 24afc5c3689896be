#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace baton::ledger {

using Wall = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;
using Steady = std::chrono::steady_clock::time_point;

/// One row: who wrote it, and its number.
using Row = std::pair<int, std::int64_t>;

/// A time in which no write was acknowledged to anybody.
struct Gap {
  std::chrono::milliseconds length{0};
  Wall begin{};  ///< The last acknowledgement before it.
  Wall end{};    ///< The first one after it.
};

/// Every acknowledged row, and the longest gaps between acknowledgements of any writer. Thread-safe.
class Ledger {
 public:
  /// To be called right after the server said OK.
  void acknowledged(Row row);
  /// A write whose outcome is unknown: the connection broke before an answer.
  void unknown();

  [[nodiscard]] std::int64_t count() const;
  [[nodiscard]] std::int64_t unknown_count() const;
  [[nodiscard]] std::set<Row> rows() const;
  /// Gaps of 50 ms or more that ended since the last call, in order.
  [[nodiscard]] std::vector<Gap> new_gaps();
  [[nodiscard]] std::chrono::milliseconds longest_gap() const;

 private:
  mutable std::mutex mutex_;
  std::set<Row> rows_;
  std::int64_t unknown_ = 0;
  Steady last_{};
  Wall last_wall_{};
  std::vector<Gap> gaps_;
  std::chrono::milliseconds longest_{0};
};

}  // namespace baton::ledger
