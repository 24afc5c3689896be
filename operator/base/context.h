#pragma once

#include <algorithm>
#include <stop_token>

#include "operator/base/clock.h"
#include "operator/base/log.h"

namespace baton {

/// How long a piece of work may take, who may stop it, and where it logs. The first parameter of everything that may
/// block; never stored beyond the call. Every blocking wait ends at the deadline or the stop, whichever comes first.
struct Context {
  std::stop_token stop;
  Instant deadline = Instant::max();
  Logger log;

  /// Time left, never negative.
  [[nodiscard]] Duration remaining(const Clock& clock) const {
    return deadline == Instant::max() ? Duration::max() : std::max(Duration::zero(), deadline - clock.now());
  }
  [[nodiscard]] bool ended(const Clock& clock) const {
    return stop.stop_requested() || remaining(clock) == Duration::zero();
  }
  /// The same work with a deadline that may only come closer.
  [[nodiscard]] Context within(Duration limit, const Clock& clock) const {
    Context tighter = *this;
    tighter.deadline = std::min(deadline, clock.now() + limit);
    return tighter;
  }
};

}  // namespace baton
