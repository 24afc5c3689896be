#include "sidecar/replication/artificial_event.h"

#include <zlib.h>

#include <span>
#include <utility>

#include "sidecar/bytes/byte_writer.h"

namespace baton::replication {
namespace {

using binlog::ChecksumAlgorithm;
using binlog::EventHeader;
using binlog::EventType;

constexpr std::uint16_t kFlagArtificial = 0x20;  // LOG_EVENT_ARTIFICIAL_F

struct Head {
  EventType type{};
  std::uint32_t server_id = 0;
  std::uint32_t log_pos = 0;
  std::uint16_t flags = 0;
};

std::vector<std::byte> make_event(const Head& head, std::span<const std::byte> body, ChecksumAlgorithm checksum) {
  const bool with_checksum = checksum == ChecksumAlgorithm::kCrc32;
  const std::size_t length = EventHeader::kLength + body.size() + (with_checksum ? binlog::kChecksumLength : 0);
  ByteWriter writer;
  writer.write_u32(0).write_u8(std::to_underlying(head.type)).write_u32(head.server_id);
  writer.write_u32(static_cast<std::uint32_t>(length)).write_u32(head.log_pos).write_u16(head.flags).write_bytes(body);
  if (with_checksum) {
    const auto all = writer.bytes();
    const auto crc = ::crc32_z(0, reinterpret_cast<const unsigned char*>(all.data()), all.size());
    writer.write_u32(static_cast<std::uint32_t>(crc));
  }
  return writer.take();
}

}  // namespace

std::vector<std::byte> make_rotate(std::uint32_t server_id, std::string_view log, std::uint64_t position,
                                   ChecksumAlgorithm checksum) {
  ByteWriter body;
  body.write_u64(position).write_string(log);
  return make_event({.type = EventType::kRotate, .server_id = server_id, .flags = kFlagArtificial}, body.bytes(),
                    checksum);
}

std::vector<std::byte> make_heartbeat(std::uint32_t server_id, std::string_view log, std::uint64_t position,
                                      ChecksumAlgorithm checksum) {
  return make_event(
      {.type = EventType::kHeartbeat, .server_id = server_id, .log_pos = static_cast<std::uint32_t>(position)},
      std::as_bytes(std::span(log)), checksum);
}

std::vector<std::byte> make_heartbeat_v2(std::uint32_t server_id, std::string_view log, std::uint64_t position,
                                         ChecksumAlgorithm checksum) {
  // Fields of type, length and value (codecs/binary.cpp, OTW_HB_*).
  constexpr std::uint8_t kEnd = 0;
  constexpr std::uint8_t kLogName = 1;
  constexpr std::uint8_t kPosition = 2;
  ByteWriter coded_position;
  coded_position.write_lenenc(position);
  ByteWriter body;
  body.write_u8(kLogName).write_lenenc_string(log);
  body.write_u8(kPosition).write_lenenc(coded_position.size()).write_bytes(coded_position.bytes()).write_u8(kEnd);
  return make_event({.type = EventType::kHeartbeatV2, .server_id = server_id}, body.bytes(), checksum);
}

}  // namespace baton::replication
