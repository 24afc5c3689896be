#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "engine/base/ids.h"
#include "sidecar/local/config.h"

namespace baton::sidecar {

/// The token that callers must present: that of the mounted Secret, and for kEarlierHolds after it changed the one
/// before it too, since the operator and the mounts of members learn of a change at different times. Thread-safe.
class ApiToken {
 public:
  /// Longer than the kubelet and the operator take to see a changed Secret, together.
  static constexpr Duration kEarlierHolds = std::chrono::minutes(5);

  explicit ApiToken(Config config) : config_(std::move(config)) {}

  /// Reads the file; a change counts from the first look that sees it. A file that is away changes nothing.
  void look(Instant now);
  /// Looks, and says whether the value of an Authorization header is "Bearer " and a token that holds now.
  [[nodiscard]] bool accepts(std::string_view authorization, Instant now);

 private:
  void take(std::string token, Instant now);

  const Config config_;
  std::mutex mutex_;
  std::string token_;  ///< Empty until it could be read.
  std::string earlier_;
  Instant earlier_ends_{};
};

}  // namespace baton::sidecar
