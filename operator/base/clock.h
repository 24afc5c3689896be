#pragma once

#include <chrono>
#include <string>

#include "engine/base/ids.h"

namespace baton {

/// Time for people: shown and stored, never compared with another machine's.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

/// Where adapters read time from. Pure code takes an Instant as an argument. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic time, for deadlines and ages.
  [[nodiscard]] virtual Instant now() const = 0;
  /// Time of day in UTC.
  [[nodiscard]] virtual WallTime wall() const = 0;
};

/// The machine's own clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] WallTime wall() const override;
};

/// "2026-11-21T13:22:04.123Z": RFC 3339 with milliseconds.
[[nodiscard]] std::string rfc3339(WallTime time);
/// "2026-11-21T13:22:04.123456Z": the only form that Kubernetes' MicroTime takes
/// (k8s.io/apimachinery/pkg/apis/meta/v1/micro_time.go, RFC3339Micro).
[[nodiscard]] std::string rfc3339_micro(WallTime time);

}  // namespace baton
