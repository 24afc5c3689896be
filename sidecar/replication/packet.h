#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/replication/output_buffer.h"

/// The client/server protocol's packets ("MySQL Packets" in the server's source documentation, sql-common/net_serv.cc):
///
///   message = { full } last            what the layers above see
///   full    = FF FF FF sequence payload(2^24 - 1)
///   last    = length(3) sequence payload(length)       length < 2^24 - 1, 0 too
///
/// Sequence numbers count packets modulo 256, both directions together; a command begins anew with 0.
namespace baton::replication {

inline constexpr std::size_t kPacketHeaderLength = 4;
inline constexpr std::size_t kFullPacketLength = 0xFF'FFFF;

/// Makes messages of a peer's bytes. Not synchronised.
class PacketReader {
 public:
  /// `limit`: the longest message that is taken, in bytes.
  explicit PacketReader(std::size_t limit) : limit_(limit) {}

  void set_limit(std::size_t limit) { limit_ = limit; }
  /// The sequence number that the next message must begin with.
  void expect(std::uint8_t sequence) { next_sequence_ = sequence; }
  /// The number behind the last packet that was read: that of the answer's first one.
  [[nodiscard]] std::uint8_t next_sequence() const { return next_sequence_; }

  void feed(std::span<const std::byte> bytes);
  /// The payload of the next message once all of it is there, valid until the next call of a method that is not const.
  /// Errors: kCorrupt for a message over the limit or a wrong sequence number; nothing can be read behind that.
  [[nodiscard]] Result<std::optional<std::span<const std::byte>>> next();
  /// Gives away what was fed and not read, such as a TLS hello behind a request for TLS.
  [[nodiscard]] std::vector<std::byte> take_rest();

 private:
  [[nodiscard]] std::span<const std::byte> unread() const { return std::span(buffer_).subspan(at_); }

  std::size_t limit_;
  std::uint8_t next_sequence_ = 0;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
  std::vector<std::byte> message_;  // What full packets brought of a message that has not ended.
  bool message_given_ = false;
};

/// Puts messages into packets and counts them. Not synchronised.
class PacketWriter {
 public:
  /// The sequence number of the next packet.
  void restart(std::uint8_t sequence) { sequence_ = sequence; }
  [[nodiscard]] std::uint8_t next_sequence() const { return sequence_; }
  void write(std::span<const std::byte> message, OutputBuffer& out);
  /// The header of one packet, whose payload the caller writes itself.
  void write_header(std::size_t length, OutputBuffer& out);
  /// The same at a place in memory, of kPacketHeaderLength bytes.
  void put_header(std::size_t length, std::byte* place) {
    place[0] = static_cast<std::byte>(length & 0xFF);
    place[1] = static_cast<std::byte>((length >> 8) & 0xFF);
    place[2] = static_cast<std::byte>((length >> 16) & 0xFF);
    place[3] = static_cast<std::byte>(sequence_++);
  }

 private:
  std::uint8_t sequence_ = 0;
};

}  // namespace baton::replication
