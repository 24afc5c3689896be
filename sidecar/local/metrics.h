#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sidecar/wire/member_state.h"

namespace baton::sidecar {

/// What is counted of a member's logs.
struct LogFigures {
  std::size_t receivers = 0;            ///< That fetch from the binlog server now.
  std::uint64_t bytes_sent = 0;         ///< By the binlog server, since the start.
  std::uint64_t transactions_sent = 0;  ///< To receivers that got all that there was for them.
  bool is_indexed = false;              ///< Every log file was read, as far as it may be.
  std::size_t problems = 0;             ///< Files of which something cannot be read.
};

/// The sidecar's metrics in Prometheus' text form. Thread-safe.
class Metrics {
 public:
  explicit Metrics(const std::string& member);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void count_order(std::string_view order, std::string_view result);
  /// Takes the gauges from this state and these figures, and gives all series.
  [[nodiscard]] std::string text_of(const wire::MemberState& state, const LogFigures& logs);

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

}  // namespace baton::sidecar
