#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace baton::binlog {

/// The little-endian integer at `bytes`, which must have enough of them. For the loops that see every event; elsewhere
/// ByteReader checks bounds.
template <std::unsigned_integral Value>
[[nodiscard]] inline Value load(const std::byte* bytes) {
  Value value;
  std::memcpy(&value, bytes, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  return value;
}

}  // namespace baton::binlog
