#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace baton {

/// Reads little-endian values from bytes of a stranger, front to back. Each read says whether the bytes sufficed; after
/// a failed read neither the position nor the result has changed. Copies nothing: what read_bytes and read_string give
/// lives as long as the bytes do. Not synchronised.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - at_; }
  /// What has not been read.
  [[nodiscard]] std::span<const std::byte> rest() const { return bytes_.subspan(at_); }

  [[nodiscard]] bool skip(std::size_t count) {
    if (count > remaining()) return false;
    at_ += count;
    return true;
  }

  [[nodiscard]] bool read_u8(std::uint8_t& value) { return read_as<1>(value); }
  [[nodiscard]] bool read_u16(std::uint16_t& value) { return read_as<2>(value); }
  [[nodiscard]] bool read_u24(std::uint32_t& value) { return read_as<3>(value); }
  [[nodiscard]] bool read_u32(std::uint32_t& value) { return read_as<4>(value); }
  [[nodiscard]] bool read_u56(std::uint64_t& value) { return read_as<7>(value); }
  [[nodiscard]] bool read_u64(std::uint64_t& value) { return read_as<8>(value); }

  [[nodiscard]] bool read_bytes(std::size_t count, std::span<const std::byte>& bytes) {
    if (count > remaining()) return false;
    bytes = bytes_.subspan(at_, count);
    at_ += count;
    return true;
  }

  [[nodiscard]] bool read_string(std::size_t count, std::string_view& text) {
    std::span<const std::byte> bytes;
    if (!read_bytes(count, bytes)) return false;
    text = as_text(bytes);
    return true;
  }

  /// A string with a NUL behind it; the NUL is read too, but is no part of the text.
  [[nodiscard]] bool read_string_nul(std::string_view& text) {
    const std::string_view all = as_text(rest());
    const std::size_t length = all.find('\0');
    if (length == std::string_view::npos) return false;
    text = all.substr(0, length);
    at_ += length + 1;
    return true;
  }

  /// The client/server protocol's length-encoded integer (mysql_com.h net_field_length_ll): one byte up to 250, or FC,
  /// FD or FE before two, three or eight bytes. FB (NULL) and FF (error) are no integers.
  [[nodiscard]] bool read_lenenc(std::uint64_t& value) {
    if (remaining() == 0) return false;
    const auto first = std::to_integer<std::uint8_t>(bytes_[at_]);
    switch (first) {
      case 0xFB:
      case 0xFF: return false;
      case 0xFC: return read_behind_mark<2>(value);
      case 0xFD: return read_behind_mark<3>(value);
      case 0xFE: return read_behind_mark<8>(value);
      default: value = first; return skip(1);
    }
  }

  /// A string behind its length as a length-encoded integer.
  [[nodiscard]] bool read_lenenc_string(std::string_view& text) {
    const std::size_t start = at_;
    std::uint64_t length = 0;
    if (read_lenenc(length) && length <= remaining() && read_string(static_cast<std::size_t>(length), text))
      return true;
    at_ = start;
    return false;
  }

  /// mysql::serialization's unsigned integer (libs/mysql/serialization/readme.md, "Variable-length integers"): as many
  /// one bits at the bottom of the first byte as bytes follow, a zero bit, then the value; FF before eight bytes.
  [[nodiscard]] bool read_varint(std::uint64_t& value) {
    if (remaining() == 0) return false;
    const auto first = std::to_integer<std::uint8_t>(bytes_[at_]);
    const auto follow = static_cast<std::size_t>(std::countr_one(first));
    if (remaining() < 1 + follow) return false;
    const std::uint64_t high = little_endian(bytes_.subspan(at_ + 1, follow));
    at_ += 1 + follow;
    // With seven or eight bytes behind it, the first byte holds no bit of the value.
    value = follow >= 7 ? high : (high << (7 - follow)) | (std::uint64_t{first} >> (follow + 1));
    return true;
  }

  /// mysql::serialization's signed integer: the sign in the lowest bit, negative numbers as -(x + 1).
  [[nodiscard]] bool read_varint_signed(std::int64_t& value) {
    std::uint64_t coded = 0;
    if (!read_varint(coded)) return false;
    const auto magnitude = static_cast<std::int64_t>(coded >> 1);
    value = (coded & 1) == 0 ? magnitude : -magnitude - 1;
    return true;
  }

  /// The bytes as text, without a copy.
  [[nodiscard]] static std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  [[nodiscard]] static std::uint64_t little_endian(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i > 0; --i) value = (value << 8) | std::to_integer<std::uint64_t>(bytes[i - 1]);
    return value;
  }

  template <std::size_t kCount, class Value>
  [[nodiscard]] bool read_as(Value& value) {
    static_assert(kCount <= sizeof(Value));
    if (remaining() < kCount) return false;
    value = static_cast<Value>(little_endian(bytes_.subspan(at_, kCount)));
    at_ += kCount;
    return true;
  }

  template <std::size_t kCount>
  [[nodiscard]] bool read_behind_mark(std::uint64_t& value) {
    if (remaining() < 1 + kCount) return false;
    value = little_endian(bytes_.subspan(at_ + 1, kCount));
    at_ += 1 + kCount;
    return true;
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace baton
