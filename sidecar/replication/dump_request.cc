#include "sidecar/replication/dump_request.h"

#include <string_view>

#include "sidecar/binlog/event.h"
#include "sidecar/bytes/byte_reader.h"

namespace baton::replication {

Result<DumpRequest> read_dump_request(std::span<const std::byte> message) {
  constexpr std::uint16_t kNonBlocking = 0x1;
  constexpr std::uint16_t kHeartbeatV2 = 0x2;
  ByteReader reader(message);
  DumpRequest request;
  std::uint16_t flags = 0;
  std::uint32_t name_length = 0;
  std::uint64_t position = 0;
  std::uint32_t set_length = 0;
  std::span<const std::byte> set;
  if (!reader.read_u16(flags) || !reader.read_u32(request.server_id) || !reader.read_u32(name_length) ||
      !reader.skip(name_length) || !reader.read_u64(position) || !reader.read_u32(set_length) ||
      !reader.read_bytes(set_length, set)) {
    return fail(ErrorKind::kCorrupt, "the dump request is too short");
  }
  request.non_blocking = (flags & kNonBlocking) != 0;
  request.heartbeat_v2 = (flags & kHeartbeatV2) != 0;
  auto have = binlog::read_previous_gtids(set);
  if (!have) return wrap("the GTID set of the dump request", std::move(have).error());
  request.have = *std::move(have);
  return request;
}

Result<Registration> read_registration(std::span<const std::byte> message) {
  ByteReader reader(message);
  Registration registration;
  std::uint8_t length = 0;
  std::string_view host;
  const auto read_text = [&](std::string_view& text) {
    return reader.read_u8(length) && reader.read_string(length, text);
  };
  std::string_view user;
  std::string_view password;
  if (!reader.read_u32(registration.server_id) || !read_text(host) || !read_text(user) || !read_text(password) ||
      !reader.read_u16(registration.port) || !reader.skip(8)) {
    return fail(ErrorKind::kCorrupt, "the registration is too short");
  }
  registration.host = host;
  return registration;
}

}  // namespace baton::replication
