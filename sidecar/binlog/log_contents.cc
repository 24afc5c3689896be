#include "sidecar/binlog/log_contents.h"

#include <algorithm>

#include "engine/base/ensure.h"
#include "sidecar/binlog/checksum.h"

namespace baton::binlog {

std::vector<std::byte> served_description(const Description& description, bool forget_start) {
  constexpr std::size_t kCreatedOffset = EventHeader::kLength + 2 + 50;  // Behind binlog version and server version.
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
