#include "operator/base/clock.h"

#include <format>

namespace baton {

Instant SystemClock::now() const {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

WallTime SystemClock::wall() const {
  return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
}

std::string rfc3339(WallTime time) {
  return std::format("{:%FT%T}Z", std::chrono::floor<std::chrono::milliseconds>(time));
}

std::string rfc3339_micro(WallTime time) { return std::format("{:%FT%T}Z", time); }

}  // namespace baton
