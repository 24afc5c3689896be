#include "sidecar/local/api_token.h"

#include "sidecar/local/secrets.h"

namespace baton::sidecar {

void ApiToken::look(Instant now) {
  auto token = read_secret(config_, "token");
  const std::scoped_lock lock(mutex_);
  if (token) take(*std::move(token), now);
}

void ApiToken::take(std::string token, Instant now) {
  if (token == token_) return;
  earlier_ = std::exchange(token_, std::move(token));
  earlier_ends_ = now + kEarlierHolds;
}

bool ApiToken::accepts(std::string_view authorization, Instant now) {
  look(now);
  const std::scoped_lock lock(mutex_);
  const auto holds = [&](const std::string& token) {
    return !token.empty() && equal_in_constant_time(authorization, "Bearer " + token);
  };
  return holds(token_) || (now < earlier_ends_ && holds(earlier_));
}

}  // namespace baton::sidecar
