#include "sidecar/replication/dump.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "engine/base/ensure.h"
#include "sidecar/replication/artificial_event.h"
#include "sidecar/replication/handshake.h"

namespace baton::replication {
namespace {

using binlog::ChecksumAlgorithm;
using binlog::Chunk;
using binlog::EventHeader;
using binlog::EventType;
using binlog::LogBegin;

constexpr std::byte kEventFollows{0};
constexpr std::uint64_t kFirstPosition = 4;  // Behind the log's magic.

/// What has no place between transactions of a stream: a receiver would count, or do, other things than we think.
constexpr auto kForbidden = [] {
  std::array<bool, 256> table{};
  for (const EventType type :
       {EventType::kRotate, EventType::kStop, EventType::kFormatDescription, EventType::kPreviousGtids,
        EventType::kAnonymousGtid, EventType::kHeartbeat, EventType::kHeartbeatV2}) {
    table[std::to_underlying(type)] = true;
  }
  return table;
}();

// By hand: read_header() reads six fields, and this runs for each event of a stream.
std::uint32_t length_of(const std::byte* header) {
  constexpr std::size_t kLengthOffset = 9;
  std::uint32_t value = 0;
  std::memcpy(&value, header + kLengthOffset, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  return value;
}
std::uint8_t type_of(const std::byte* header) { return std::to_integer<std::uint8_t>(header[4]); }

Result<void> check_event(std::span<const std::byte> bytes) {
  if (bytes.size() < EventHeader::kLength) return fail(ErrorKind::kCorrupt, "a chunk ends inside of an event's header");
  if (length_of(bytes.data()) < EventHeader::kLength) {
    return fail(ErrorKind::kCorrupt, "an event of {} bytes", length_of(bytes.data()));
  }
  const std::uint8_t type = type_of(bytes.data());
  if (type == std::to_underlying(EventType::kAnonymousGtid)) {
    return fail(ErrorKind::kUnsafe, "a transaction without GTID cannot be sent to a receiver that asks by GTIDs");
  }
  if (kForbidden[type]) return fail(ErrorKind::kCorrupt, "an event of type {} among transactions", type);
  return {};
}

}  // namespace

Dump::Dump(Terms terms, std::unique_ptr<binlog::TransactionStream> stream, Instant now)
    : terms_(terms),
      stream_(std::move(stream)),
      last_sent_(now),
      checksum_(terms.checksum.value_or(ChecksumAlgorithm::kNone)) {
  ENSURE(stream_ != nullptr);
}

Instant Dump::next_heartbeat() const {
  if (!terms_.heartbeat_period || *terms_.heartbeat_period > Instant::max() - last_sent_) return Instant::max();
  return last_sent_ + *terms_.heartbeat_period;
}

Result<Dump::State> Dump::produce(PacketWriter& packets, OutputBuffer& out, std::size_t limit, Instant now) {
  const std::size_t before = out.size();
  auto state = fill(packets, out, limit);
  if (state && out.size() == before && now >= next_heartbeat() && !inside_event()) write_heartbeat(packets, out);
  if (out.size() > before) last_sent_ = now;
  return state;
}

Result<Dump::State> Dump::fill(PacketWriter& packets, OutputBuffer& out, std::size_t limit) {
  while (out.size() < limit) {
    if (inside_event() && (!chunk_.empty() || event_left_ == 0)) {
      continue_event(packets, out, limit);
    } else if (!chunk_.empty()) {
      const std::size_t before = chunk_.size();
      TRY_VOID(frame_small_events(packets, out, limit));
      if (chunk_.size() == before) TRY_VOID(begin_event(packets, out));
    } else {
      TRY(item, stream_->next());
      if (const auto* chunk = std::get_if<Chunk>(&item)) {
        chunk_ = chunk->bytes;
        if (chunk_.empty()) return State::kMore;  // It skips; a heartbeat may be due.
        continue;
      }
      if (inside_event()) return fail(ErrorKind::kCorrupt, "a stream ends or changes its log inside of an event");
      if (const auto* log = std::get_if<LogBegin>(&item)) {
        TRY_VOID(begin_log(*log, packets, out));
        continue;
      }
      if (!terms_.non_blocking) return State::kWaiting;
      packets.write(encode_eof(), out);
      return State::kFinished;
    }
  }
  return State::kMore;
}

Result<void> Dump::begin_log(const LogBegin& log, PacketWriter& packets, OutputBuffer& out) {
  const std::span<const std::byte> format(log.format_description);
  if (format.size() < EventHeader::kLength || length_of(format.data()) != format.size() ||
      type_of(format.data()) != std::to_underlying(EventType::kFormatDescription)) {
    return fail(ErrorKind::kCorrupt, "{} begins with something else than FORMAT_DESCRIPTION", log.name);
  }
  if (!terms_.checksum && log.checksum != ChecksumAlgorithm::kNone) {
    return fail(ErrorKind::kUnsafe, "{} has checksums, which the receiver did not say that it can read", log.name);
  }
  write_rotate(log.name, packets, out);
  write_event(format, packets, out);
  // A FORMAT_DESCRIPTION without a position is one that the source made up, and does not count (queue_event).
  if (binlog::read_header(format.first(EventHeader::kLength)).log_pos != 0) position_ += format.size();
  checksum_ = log.checksum;
  return {};
}

void Dump::write_rotate(std::string_view log, PacketWriter& packets, OutputBuffer& out) {
  write_event(make_rotate(terms_.server_id, log, kFirstPosition, checksum_), packets, out);
  log_ = log;
  position_ = kFirstPosition;
}

void Dump::write_heartbeat(PacketWriter& packets, OutputBuffer& out) {
  // Only a log that was announced can be named.
  constexpr std::string_view kNoLogYet = "baton.000000";
  if (log_.empty()) write_rotate(kNoLogYet, packets, out);
  write_event(terms_.heartbeat_v2 ? make_heartbeat_v2(terms_.server_id, log_, position_, checksum_)
                                  : make_heartbeat(terms_.server_id, log_, position_, checksum_),
              packets, out);
}

void Dump::write_event(std::span<const std::byte> event, PacketWriter& packets, OutputBuffer& out) {
  ENSURE(event.size() + 1 < kFullPacketLength);
  packets.write_header(event.size() + 1, out);
  out.append(std::span(&kEventFollows, 1));
  out.append(event);
}

Result<void> Dump::frame_small_events(PacketWriter& packets, OutputBuffer& out, std::size_t limit) {
  constexpr std::size_t kAround = kPacketHeaderLength + 1;
  std::byte* const begin = out.reserve(limit - out.size());
  const std::byte* const end = begin + (limit - out.size());
  std::byte* to = begin;
  const std::byte* from = chunk_.data();
  std::size_t left = chunk_.size();
  Result<void> checked;
  while (left > 0) {
    checked = check_event({from, left});
    if (!checked) break;
    const std::size_t length = length_of(from);
    if (length > left || length + 1 >= kFullPacketLength || length + kAround > static_cast<std::size_t>(end - to)) {
      break;
    }
    packets.put_header(length + 1, to);
    to[kPacketHeaderLength] = kEventFollows;
    std::memcpy(to + kAround, from, length);
    to += length + kAround;
    from += length;
    left -= length;
  }
  position_ += chunk_.size() - left;
  chunk_ = {from, left};
  out.commit(static_cast<std::size_t>(to - begin));
  return checked;
}

Result<void> Dump::begin_event(PacketWriter& packets, OutputBuffer& out) {
  TRY_VOID(check_event(chunk_));
  event_left_ = length_of(chunk_.data());
  position_ += event_left_;
  const std::size_t length = std::min<std::uint64_t>(event_left_ + 1, kFullPacketLength);
  packets.write_header(length, out);
  out.append(std::span(&kEventFollows, 1));
  packet_left_ = length - 1;
  packet_full_ = length == kFullPacketLength;
  return {};
}

void Dump::continue_event(PacketWriter& packets, OutputBuffer& out, std::size_t limit) {
  if (packet_left_ == 0) {  // The one before was of full length: another one follows, if only an empty one.
    packet_left_ = std::min<std::uint64_t>(event_left_, kFullPacketLength);
    packet_full_ = packet_left_ == kFullPacketLength;
    packets.write_header(packet_left_, out);
  }
  const std::size_t room = limit - std::min(limit, out.size());
  const std::size_t count = std::min({packet_left_, chunk_.size(), room});
  out.append(chunk_.first(count));
  chunk_ = chunk_.subspan(count);
  packet_left_ -= count;
  event_left_ -= count;
}

}  // namespace baton::replication
