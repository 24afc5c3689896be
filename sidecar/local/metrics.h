#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sidecar/wire/member_state.h"

namespace baton::sidecar {

/// The sidecar's metrics in Prometheus' text form. Thread-safe.
class Metrics {
 public:
  explicit Metrics(const std::string& member);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void count_order(std::string_view order, std::string_view result);
  /// Takes the gauges from this state and gives all series.
  [[nodiscard]] std::string text_of(const wire::MemberState& state);

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

}  // namespace baton::sidecar
