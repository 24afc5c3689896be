#include "sidecar/replication/packet.h"

#include <utility>

#include "engine/base/ensure.h"
#include "sidecar/bytes/byte_reader.h"

namespace baton::replication {

void PacketReader::feed(std::span<const std::byte> bytes) {
  if (at_ > 0) {  // What was read is dropped here, so that spans given by next() stay true until now.
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<std::span<const std::byte>>> PacketReader::next() {
  using Message = std::optional<std::span<const std::byte>>;
  if (std::exchange(message_given_, false)) message_.clear();
  for (;;) {
    ByteReader reader(unread());
    std::uint32_t length = 0;
    std::uint8_t sequence = 0;
    if (!reader.read_u24(length) || !reader.read_u8(sequence)) return Message();
    if (sequence != next_sequence_) {
      return fail(ErrorKind::kCorrupt, "a packet has the sequence number {}, not {}", sequence, next_sequence_);
    }
    // Before the payload is waited for, so that nobody makes us keep more than the limit.
    if (message_.size() + length > limit_) {
      return fail(ErrorKind::kCorrupt, "a message of more than {} bytes", limit_);
    }
    std::span<const std::byte> payload;
    if (!reader.read_bytes(length, payload)) return Message();
    at_ += reader.position();
    ++next_sequence_;
    const bool last = length < kFullPacketLength;
    if (last && message_.empty()) return Message(payload);
    message_.insert(message_.end(), payload.begin(), payload.end());
    if (last) {
      message_given_ = true;
      return Message(message_);
    }
  }
}

std::vector<std::byte> PacketReader::take_rest() {
  const auto rest = unread();
  std::vector<std::byte> taken(rest.begin(), rest.end());
  buffer_.clear();
  at_ = 0;
  return taken;
}

void PacketWriter::write_header(std::size_t length, OutputBuffer& out) {
  ENSURE(length <= kFullPacketLength);
  put_header(length, out.reserve(kPacketHeaderLength));
  out.commit(kPacketHeaderLength);
}

void PacketWriter::write(std::span<const std::byte> message, OutputBuffer& out) {
  while (message.size() >= kFullPacketLength) {
    write_header(kFullPacketLength, out);
    out.append(message.first(kFullPacketLength));
    message = message.subspan(kFullPacketLength);
  }
  write_header(message.size(), out);
  out.append(message);
}

}  // namespace baton::replication
