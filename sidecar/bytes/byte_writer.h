#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace baton {

/// Appends little-endian values: the counterpart of ByteReader. What it has written is its own until take(). Not
/// synchronised.
class ByteWriter {
 public:
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  /// Gives the bytes away and begins anew.
  [[nodiscard]] std::vector<std::byte> take() { return std::exchange(bytes_, {}); }

  ByteWriter& write_u8(std::uint8_t value) { return write_as<1>(value); }
  ByteWriter& write_u16(std::uint16_t value) { return write_as<2>(value); }
  ByteWriter& write_u32(std::uint32_t value) { return write_as<4>(value); }
  ByteWriter& write_u64(std::uint64_t value) { return write_as<8>(value); }

  ByteWriter& write_bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  ByteWriter& write_zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  ByteWriter& write_string(std::string_view text) { return write_bytes(std::as_bytes(std::span(text))); }
  ByteWriter& write_string_nul(std::string_view text) { return write_string(text).write_zeros(1); }

  /// The client/server protocol's length-encoded integer (mysys/pack.cc net_store_length).
  ByteWriter& write_lenenc(std::uint64_t value) {
    if (value <= 0xFA) return write_as<1>(value);
    if (value <= 0xFFFF) return write_u8(0xFC).write_as<2>(value);
    if (value <= 0xFF'FFFF) return write_u8(0xFD).write_as<3>(value);
    return write_u8(0xFE).write_as<8>(value);
  }
  ByteWriter& write_lenenc_string(std::string_view text) { return write_lenenc(text.size()).write_string(text); }

 private:
  template <std::size_t kCount>
  ByteWriter& write_as(std::uint64_t value) {
    for (std::size_t i = 0; i < kCount; ++i, value >>= 8) bytes_.push_back(static_cast<std::byte>(value & 0xFF));
    return *this;
  }

  std::vector<std::byte> bytes_;
};

}  // namespace baton
