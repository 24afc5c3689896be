#include "sidecar/binlog/checksum.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sidecar/binlog/load.h"

namespace baton::binlog {

namespace {

/// zlib is fast on long inputs and slow on short ones, which most events are. These are handled sixteen bytes at a time
/// by sixteen tables: table k has the effect of a byte that k more bytes follow (Kounavis and Berry, "Novel table
/// lookup-based algorithms for high-performance CRC generation", 2008).
constexpr std::size_t kShort = 1024;
constexpr std::size_t kTables = 16;
constexpr std::size_t kWord = sizeof(std::uint64_t);

__extension__ using Block = unsigned __int128;
static_assert(sizeof(Block) == kTables);

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

Block load_block(const std::byte* bytes) {
  return load<std::uint64_t>(bytes) | static_cast<Block>(load<std::uint64_t>(bytes + kWord)) << 64;
}

/// The state that a block leaves behind which finds the state zero. Written out by the template: -O2 leaves a loop
/// with shifts by a variable as it is, which takes much longer.
template <std::size_t... kPlaces>
std::uint32_t state_of(std::uint64_t low, std::uint64_t high, std::index_sequence<kPlaces...> /*of a word*/) {
  return ((kTable[kTables - 1 - kPlaces][(low >> (8 * kPlaces)) & 0xFF] ^
           kTable[kWord - 1 - kPlaces][(high >> (8 * kPlaces)) & 0xFF]) ^
          ...);
}
std::uint32_t state_of(Block block) {
  return state_of(static_cast<std::uint64_t>(block), static_cast<std::uint64_t>(block >> 64),
                  std::make_index_sequence<kWord>());
}

/// A state has the effect of bytes of the same value that stand where the next four are, and zeros that the state zero
/// finds have none. So what is no whole block is taken first, behind zeros: no byte is left for a slow end.
std::uint32_t crc32_of_blocks(std::uint32_t so_far, std::span<const std::byte> bytes) {
  std::uint32_t state = ~so_far;
  const std::size_t odd = bytes.size() % kTables;
  const Block first = load_block(bytes.data()) ^ state;
  // In two steps, since a shift by all 128 bits is not defined.
  state = state_of(first << (8 * (kTables - 1 - odd)) << 8) ^
          static_cast<std::uint32_t>(std::uint64_t{state} >> (8 * std::min(odd, sizeof state)));
  for (bytes = bytes.subspan(odd); !bytes.empty(); bytes = bytes.subspan(kTables)) {
    state = state_of(load_block(bytes.data()) ^ state);
  }
  return ~state;
}

std::uint32_t crc32_of_bytes(std::uint32_t so_far, std::span<const std::byte> bytes) {
  std::uint32_t state = ~so_far;
  for (const std::byte byte : bytes) {
    state = (state >> 8) ^ kTable[0][(state ^ std::to_integer<std::uint32_t>(byte)) & 0xFF];
  }
  return ~state;
}

}  // namespace

std::uint32_t crc32_of(std::uint32_t so_far, std::span<const std::byte> bytes) {
  if (bytes.size() < kTables) return crc32_of_bytes(so_far, bytes);
  if (bytes.size() < kShort) return crc32_of_blocks(so_far, bytes);
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
