#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <format>
#include <string>
#include <utility>

namespace baton {

/// A value that cannot be mistaken for another of the same representation. Tag is an empty struct that names the idea.
template <class Tag, class Value>
class Tagged {
 public:
  constexpr Tagged() = default;
  constexpr explicit Tagged(Value value) : value_(std::move(value)) {}

  [[nodiscard]] constexpr const Value& get() const { return value_; }

  friend constexpr auto operator<=>(const Tagged&, const Tagged&) = default;

 private:
  Value value_{};
};

/// The number in a member's pod name: 0 for shop-0.
using Ordinal = Tagged<struct OrdinalTag, int>;
/// Raised when a failover begins, with each reopening, and when kept volumes are adopted; never falls.
using Epoch = Tagged<struct EpochTag, std::int64_t>;
/// Raised by each new leader and with each record; never falls.
using Revision = Tagged<struct RevisionTag, std::int64_t>;
/// server_uuid of one incarnation of a data directory, in MySQL's lower-case form. It also names the incarnation.
using ServerUuid = Tagged<struct ServerUuidTag, std::string>;
/// metadata.uid of a pod.
using PodUid = Tagged<struct PodUidTag, std::string>;
/// /proc/sys/kernel/random/boot_id of a node.
using BootId = Tagged<struct BootIdTag, std::string>;

/// A point of a monotonic clock whose origin means nothing; comes in as an argument, never read by pure code.
using Duration = std::chrono::milliseconds;
struct MonotonicClockTag {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClockTag, duration>;
  static constexpr bool is_steady = true;
};
using Instant = std::chrono::time_point<MonotonicClockTag, Duration>;

}  // namespace baton

template <class Tag, class Value>
struct std::formatter<baton::Tagged<Tag, Value>> : std::formatter<Value> {
  auto format(const baton::Tagged<Tag, Value>& tagged, std::format_context& context) const {
    return std::formatter<Value>::format(tagged.get(), context);
  }
};
template <class Tag, class Value>
struct std::hash<baton::Tagged<Tag, Value>> {
  std::size_t operator()(const baton::Tagged<Tag, Value>& tagged) const { return std::hash<Value>{}(tagged.get()); }
};
