#include "sidecar/binlog/checksum.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "sidecar/binlog/load.h"

namespace baton::binlog {

namespace {

/// zlib is fast on long inputs and slow on short ones, which most events are. These are handled eight bytes at a time
/// by eight tables: table k has the effect of a byte that k more bytes follow (Kounavis and Berry, "Novel table
/// lookup-based algorithms for high-performance CRC generation", 2008).
constexpr std::size_t kShort = 1024;
constexpr std::size_t kTables = 8;

constexpr auto make_tables() {
  std::array<std::array<std::uint32_t, 256>, kTables> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB8'8320U : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < kTables; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr auto kTable = make_tables();

std::uint32_t crc32_of_short(std::uint32_t so_far, std::span<const std::byte> bytes) {
  std::uint64_t crc = ~so_far;
  for (; bytes.size() >= kTables; bytes = bytes.subspan(kTables)) {
    const std::uint64_t word = load<std::uint64_t>(bytes.data()) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < kTables; ++k) crc ^= kTable[kTables - 1 - k][(word >> (8 * k)) & 0xFF];
  }
  for (const std::byte byte : bytes) crc = (crc >> 8) ^ kTable[0][(crc ^ std::to_integer<std::uint64_t>(byte)) & 0xFF];
  return ~static_cast<std::uint32_t>(crc);
}

}  // namespace

std::uint32_t crc32_of(std::uint32_t so_far, std::span<const std::byte> bytes) {
  if (bytes.size() < kShort) return crc32_of_short(so_far, bytes);
  return static_cast<std::uint32_t>(
      ::crc32_z(so_far, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::uint32_t crc32_of_header(std::span<const std::byte> header, EventType type) {
  if (type != EventType::kFormatDescription) return crc32_of(0, header);
  std::array<std::byte, EventHeader::kLength> copy{};
  std::ranges::copy(header, copy.begin());
  copy[EventHeader::kFlagsOffset] &= ~std::byte{kFlagInUse};
  return crc32_of(0, std::span(copy).first(header.size()));
}

}  // namespace baton::binlog
