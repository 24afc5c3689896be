#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sidecar/binlog/event.h"

namespace baton::binlog {

/// zlib's CRC32, continued from `so_far`; 0 begins one.
[[nodiscard]] std::uint32_t crc32_of(std::uint32_t so_far, std::span<const std::byte> bytes);

/// The CRC32 of an event's header (or the beginning of one). IN_USE is set in a FORMAT_DESCRIPTION while its file is
/// open and cleared when it is closed; the checksum is always that of the closed file.
[[nodiscard]] std::uint32_t crc32_of_header(std::span<const std::byte> header, EventType type);

}  // namespace baton::binlog
