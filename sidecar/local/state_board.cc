#include "sidecar/local/state_board.h"

#include <format>

namespace baton::sidecar {

void StateBoard::publish(const wire::MemberState& state, Instant answered) {
  {
    const std::scoped_lock lock(mutex_);
    answered_ = answered;
    if (state == state_) return;
    state_ = state;
    ++version_;
  }
  news_.notify_all();
}

wire::MemberState StateBoard::take(Instant now) {
  const std::scoped_lock lock(mutex_);
  auto state = state_;
  state.sequence = ++sequence_;
  if (state.sql && now - answered_ >= kStaleAnswer) {
    state.sql.reset();
    if (state.sql_error.empty()) {
      state.sql_error =
          std::format("what it said last is {} ms old, and it was not asked again", (now - answered_).count());
    }
  }
  return state;
}

std::uint64_t StateBoard::version() const {
  const std::scoped_lock lock(mutex_);
  return version_;
}

bool StateBoard::wait_past(const std::stop_token& stop, std::uint64_t version, Duration limit) const {
  std::unique_lock lock(mutex_);
  return news_.wait_for(lock, stop, limit, [&] { return version_ > version; });
}

}  // namespace baton::sidecar
