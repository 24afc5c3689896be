#include "sidecar/binlog/log_contents.h"

#include <algorithm>

#include "engine/base/ensure.h"
#include "sidecar/binlog/checksum.h"
#include "sidecar/bytes/byte_reader.h"

namespace baton::binlog {
namespace {

constexpr std::size_t kVersionOffset = EventHeader::kLength + 2;  // Behind the binlog version.
constexpr std::size_t kVersionLength = 50;                        // ST_SERVER_VER_LEN, filled up with NUL.
constexpr std::size_t kCreatedOffset = kVersionOffset + kVersionLength;

}  // namespace

std::string server_version(const Description& description) {
  ENSURE(description.event.size() >= kCreatedOffset);
  const std::string_view text =
      ByteReader::as_text(std::span(description.event).subspan(kVersionOffset, kVersionLength));
  return std::string(text.substr(0, text.find('\0')));
}

std::vector<std::byte> served_description(const Description& description, bool forget_start) {
  std::vector<std::byte> event = description.event;
  ENSURE(event.size() >= kCreatedOffset + 4 + kChecksumLength);
  event[EventHeader::kFlagsOffset] &= ~std::byte{kFlagInUse | kFlagRelayLog};
  if (forget_start) std::fill_n(event.begin() + kCreatedOffset, 4, std::byte{0});
  const auto checked = std::span<const std::byte>(event).first(event.size() - kChecksumLength);
  const std::uint32_t checksum = crc32_of(0, checked);
  for (std::size_t i = 0; i < kChecksumLength; ++i) {
    event[checked.size() + i] = static_cast<std::byte>((checksum >> (8 * i)) & 0xFF);
  }
  return event;
}

}  // namespace baton::binlog
