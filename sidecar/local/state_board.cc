#include "sidecar/local/state_board.h"

namespace baton::sidecar {

void StateBoard::publish(const wire::MemberState& state) {
  {
    const std::scoped_lock lock(mutex_);
    if (state == state_) return;
    state_ = state;
    ++version_;
  }
  news_.notify_all();
}

wire::MemberState StateBoard::take() {
  const std::scoped_lock lock(mutex_);
  auto state = state_;
  state.sequence = ++sequence_;
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
