#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/binlog/byte_source.h"
#include "sidecar/binlog/event.h"

namespace baton::binlog {

/// One event whose length and checksum were found right.
struct Event {
  EventHeader header;
  std::uint64_t offset = 0;  ///< Of the header's first byte.
  std::uint64_t end = 0;     ///< The offset behind the event.
  /// The beginning of the body, without checksum: all of it up to EventReader::kKeptBody bytes, all of PREVIOUS_GTIDS.
  /// Valid until the next call of next().
  std::span<const std::byte> body;
  std::uint64_t body_length = 0;
};

/// The bytes from `offset` on are no event; the reader has not moved.
struct Damage {
  std::uint64_t offset = 0;
  std::string reason;
};

/// The bytes ended where an event ends.
struct EndOfLog {};

/// Reads the events of one log from front to back in little memory, whatever their size (a log has events of up to
/// 1 GiB). It walks by the lengths in the headers; their log_pos wraps at 4 GiB. Not synchronised.
class EventReader {
 public:
  /// Enough for every event but PREVIOUS_GTIDS that this program reads: QUERY puts at most 64 KiB of status variables
  /// before its statement.
  static constexpr std::size_t kKeptBody = 128 * 1024;

  /// Reads `source`, which must outlive the reader, up to offset `end` from `begin` on. `end` must not be more than
  /// the source has.
  EventReader(ByteSource& source, std::uint64_t begin, std::uint64_t end, std::stop_token stop)
      : source_(source), at_(begin), end_(end), stop_(std::move(stop)) {}

  /// The next event, the end, or damage. The checksum of FORMAT_DESCRIPTION decides how the events behind it are read.
  /// Errors: kRetry when the disk refuses; kCancelled after a stop; kUnsafe for a form that is not known.
  [[nodiscard]] Result<std::variant<Event, EndOfLog, Damage>> next();

  /// Looks behind damage for an event of right length, place and checksum: with one, the damage is not the log's end.
  /// An event's place is known by its log_pos. Gives the offset of the first that is found. Errors: as next().
  [[nodiscard]] Result<std::optional<std::uint64_t>> find_event_behind(std::uint64_t offset);

  /// The offset of the next event.
  [[nodiscard]] std::uint64_t position() const { return at_; }

 private:
  [[nodiscard]] Result<EventHeader> header_at(std::uint64_t offset);
  [[nodiscard]] std::optional<Damage> check_length(const EventHeader& header) const;
  [[nodiscard]] Result<void> read_body(const EventHeader& header, std::uint64_t offset);
  [[nodiscard]] Result<bool> is_event_at(std::uint64_t offset, const EventHeader& header);
  [[nodiscard]] Result<std::span<const std::byte>> bytes_at(std::uint64_t offset, std::size_t most);
  [[nodiscard]] bool has_checksum(EventType type) const;

  ByteSource& source_;
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
  std::stop_token stop_;
  ChecksumAlgorithm checksum_ = ChecksumAlgorithm::kCrc32;

  std::vector<std::byte> body_;
  std::uint32_t computed_checksum_ = 0;
  std::uint32_t stored_checksum_ = 0;

  std::vector<std::byte> buffer_;
  std::uint64_t buffer_offset_ = 0;
};

}  // namespace baton::binlog
