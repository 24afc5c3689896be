#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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

/// One event whose length (and checksum, where it was to be looked at) was found right.
struct Event {
  EventHeader header;
  std::uint64_t offset = 0;  ///< Of the header's first byte.
  std::uint64_t end = 0;     ///< The offset behind the event.
  /// The beginning of the body, without checksum: all of it up to EventReader::kKeptBody bytes, all of PREVIOUS_GTIDS.
  /// With Verify::kHeaders empty for events that say nothing on the boundaries of transactions.
  /// Valid until the next call of next().
  std::span<const std::byte> body;
  std::uint64_t body_length = 0;
};

/// The bytes from `offset` on are no event; the reader has not moved.
struct Damage {
  std::uint64_t offset = 0;
  std::string reason;
  bool is_cut = false;  ///< The bytes end before the event does, so that more bytes may mend it.
};

/// The bytes ended where an event ends.
struct EndOfLog {};

enum class LogKind : std::uint8_t {
  kBinlog,  ///< What a server committed; events stand where their log_pos says.
  kRelay,   ///< What a replica received; log_pos is the place in the source's file.
};

enum class Verify : std::uint8_t {
  kChecksums,  ///< Every byte is read and every checksum compared.
  kHeaders,    ///< Bodies are passed over, but for those that tell where transactions begin and end.
};

/// Reads the events of one log from front to back in little memory, whatever their size (a log has events of up to
/// 1 GiB). It walks by the lengths in the headers; their log_pos wraps at 4 GiB. Not synchronised.
class EventReader {
 public:
  /// Enough for every event but PREVIOUS_GTIDS that this program reads: QUERY puts at most 64 KiB of status variables
  /// before its statement.
  static constexpr std::size_t kKeptBody = 128 * 1024;

  struct Options {
    LogKind kind = LogKind::kBinlog;
    Verify verify = Verify::kChecksums;
    /// In force at the first event.
    ChecksumAlgorithm checksum = ChecksumAlgorithm::kCrc32;
  };

  /// Reads `source`, which must outlive the reader, up to offset `end` from `begin` on. `end` must not be more than
  /// the source has.
  EventReader(ByteSource& source, std::uint64_t begin, std::uint64_t end, std::stop_token stop)
      : EventReader(source, begin, end, std::move(stop), Options{}) {}
  EventReader(ByteSource& source, std::uint64_t begin, std::uint64_t end, std::stop_token stop, Options options)
      : source_(&source), at_(begin), end_(end), stop_(std::move(stop)), options_(options) {}

  /// The next event, the end, or damage. The checksum of FORMAT_DESCRIPTION decides how the events behind it are read.
  /// In a binary log that is read by headers, an event that does not stand where its log_pos says is damage too.
  /// Errors: kRetry when the disk refuses; kCancelled after a stop; kUnsafe for a form that is not known.
  [[nodiscard]] Result<std::variant<Event, EndOfLog, Damage>> next();

  enum class Found : std::uint8_t { kEvent, kEnd, kDamage };
  /// The same without a copy: the event is in event(), damage in damage().
  [[nodiscard]] Result<Found> advance();
  [[nodiscard]] const Event& event() const { return event_; }
  [[nodiscard]] const Damage& damage() const { return damage_; }

  /// Looks behind damage for an event of right length, place and checksum: with one, the damage is not the log's end.
  /// An event's place is known by its log_pos; in a relay log, by its distance to that of the event before the damage,
  /// or the event is a FORMAT_DESCRIPTION or a GTID. Gives the offset of the first that is found. Errors: as next().
  [[nodiscard]] Result<std::optional<std::uint64_t>> find_event_behind(std::uint64_t offset);

  /// Goes on up to `end`, at or behind position(), unless `stop` ends it.
  void extend(std::uint64_t end, std::stop_token stop) {
    end_ = end;
    stop_ = std::move(stop);
  }
  /// Goes back (or on) to an event's offset, where `checksum` is in force, and reads from there with `verify`.
  void move_to(std::uint64_t offset, ChecksumAlgorithm checksum, Verify verify);

  /// The offset of the next event.
  [[nodiscard]] std::uint64_t position() const { return at_; }
  /// All bytes of the event that next() gave last, header and checksum included, if it was a FORMAT_DESCRIPTION.
  [[nodiscard]] std::span<const std::byte> description() const { return description_; }
  /// What the last FORMAT_DESCRIPTION said.
  [[nodiscard]] ChecksumAlgorithm checksum() const { return options_.checksum; }

 private:
  [[nodiscard]] bool has_damage(const EventHeader& header);
  [[nodiscard]] Result<void> read_part(const EventHeader& header);
  [[nodiscard]] Result<void> read_whole(const EventHeader& header, std::uint64_t offset);
  [[nodiscard]] Result<void> read_large(const EventHeader& header, std::uint64_t offset);
  [[nodiscard]] Result<void> take_description(const EventHeader& header);
  [[nodiscard]] bool may_be_event(const EventHeader& header, std::uint64_t place) const;
  [[nodiscard]] Result<bool> is_event_at(std::uint64_t offset, const EventHeader& header);
  [[nodiscard]] const std::byte* buffered(std::uint64_t offset, std::size_t count) const {
    const std::uint64_t skipped = offset - buffer_offset_;  // Huge when the offset lies before the buffer.
    return skipped <= buffer_size_ && buffer_size_ - skipped >= count ? buffer_.get() + skipped : nullptr;
  }
  [[nodiscard]] Result<std::span<const std::byte>> bytes_at(std::uint64_t offset, std::size_t most);
  [[nodiscard]] Result<void> fill(std::uint64_t offset, std::size_t wanted);
  [[nodiscard]] bool has_checksum(EventType type) const;
  [[nodiscard]] bool must_verify(EventType type) const;

  ByteSource* source_;
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
  std::stop_token stop_;
  Options options_;
  /// What log_pos of the last good event has more than the offset behind it, modulo 2^32. 0 in a binary log.
  std::uint32_t shift_ = 0;

  Event event_;
  Damage damage_;
  std::span<const std::byte> body_;
  std::span<const std::byte> description_;
  std::vector<std::byte> kept_;
  std::uint32_t computed_checksum_ = 0;
  std::uint32_t stored_checksum_ = 0;

  std::unique_ptr<std::byte[]> buffer_;
  std::size_t buffer_room_ = 0;
  std::size_t buffer_size_ = 0;
  std::uint64_t buffer_offset_ = 0;
};

}  // namespace baton::binlog
