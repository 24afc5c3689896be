#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"

namespace baton::binlog {

/// The first bytes of a log file: FE "bin" (sql/log_event.h BINLOG_MAGIC), FD "bin" for an encrypted one
/// (sql/rpl_log_encryption.h).
inline constexpr std::string_view kMagic = "\xFE\x62\x69\x6E";
inline constexpr std::string_view kEncryptedMagic = "\xFD\x62\x69\x6E";

/// The events that exist up to 9.7 (libs/mysql/binlog/event/binlog_event.h Log_event_type).
enum class EventType : std::uint8_t {
  kQuery = 2,
  kStop = 3,
  kRotate = 4,
  kIntvar = 5,
  kAppendBlock = 9,
  kDeleteFile = 11,
  kRand = 13,
  kUserVar = 14,
  kFormatDescription = 15,
  kXid = 16,
  kBeginLoadQuery = 17,
  kExecuteLoadQuery = 18,
  kTableMap = 19,
  kIncident = 26,
  kHeartbeat = 27,
  kIgnorable = 28,
  kRowsQuery = 29,
  kWriteRows = 30,
  kUpdateRows = 31,
  kDeleteRows = 32,
  kGtid = 33,
  kAnonymousGtid = 34,
  kPreviousGtids = 35,
  kTransactionContext = 36,
  kViewChange = 37,
  kXaPrepare = 38,
  kPartialUpdateRows = 39,
  kTransactionPayload = 40,
  kHeartbeatV2 = 41,
  kGtidTagged = 42,
};

/// Bits of EventHeader::flags (binlog_event.h).
inline constexpr std::uint16_t kFlagInUse = 0x1;       ///< On the FORMAT_DESCRIPTION of a file that was not closed.
inline constexpr std::uint16_t kFlagRelayLog = 0x40;   ///< A replica wrote the event for its own relay log.
inline constexpr std::uint16_t kFlagIgnorable = 0x80;  ///< A reader that does not know the event may pass it.

/// The 19 bytes before every event's body (binlog_event.h LOG_EVENT_HEADER_LEN).
struct EventHeader {
  static constexpr std::size_t kLength = 19;
  static constexpr std::size_t kLengthOffset = 9;
  static constexpr std::size_t kFlagsOffset = 17;

  std::uint32_t timestamp = 0;  ///< Seconds since 1970.
  EventType type{};             ///< May be a value that the enumeration does not name.
  std::uint32_t server_id = 0;
  std::uint32_t length = 0;   ///< Of the whole event: header, body and checksum.
  std::uint32_t log_pos = 0;  ///< The offset behind the event, modulo 2^32.
  std::uint16_t flags = 0;
};

/// Bytes of the CRC32 behind an event's body.
inline constexpr std::size_t kChecksumLength = 4;

enum class ChecksumAlgorithm : std::uint8_t { kNone = 0, kCrc32 = 1 };

/// What later events need to know of FORMAT_DESCRIPTION.
struct FormatDescription {
  ChecksumAlgorithm checksum = ChecksumAlgorithm::kNone;
};

/// What a GTID or GTID_TAGGED event says, in the form that costs nothing to read.
struct RawGtid {
  std::array<std::uint8_t, 16> uuid{};
  std::array<char, 32> tag{};
  std::uint8_t tag_length = 0;
  std::int64_t number = 0;
  /// The bytes of all events of the transaction, this one and the checksums included; 0 when not told.
  std::uint64_t transaction_length = 0;

  [[nodiscard]] bool same_source(const RawGtid& other) const {
    return uuid == other.uuid && tag_length == other.tag_length && tag == other.tag;
  }
  [[nodiscard]] GtidSource source() const;
};

/// The same as text.
struct GtidEvent {
  GtidSource source;
  std::int64_t number = 0;
  std::uint64_t transaction_length = 0;
};

/// What a QUERY event says, as far as transaction boundaries depend on it.
struct QueryEvent {
  /// The beginning of the statement: all of it, or as much as the caller has of the event.
  std::string_view text;
};

/// The functions below read bodies: the bytes between header and checksum. Errors: kCorrupt with the reason; kUnsafe
/// for forms that only a newer server writes.

/// `header` must hold EventHeader::kLength bytes (ENSURE).
[[nodiscard]] EventHeader read_header(std::span<const std::byte> header);
/// A FORMAT_DESCRIPTION body; the checksum algorithm is its last byte.
[[nodiscard]] Result<FormatDescription> read_format_description(std::span<const std::byte> body);
/// A PREVIOUS_GTIDS body, plain or tagged: the set of everything executed and logged before this file.
[[nodiscard]] Result<GtidSet> read_previous_gtids(std::span<const std::byte> body);
/// A GTID body (type 33).
[[nodiscard]] Result<RawGtid> read_raw_gtid(std::span<const std::byte> body);
[[nodiscard]] Result<GtidEvent> read_gtid(std::span<const std::byte> body);
/// A GTID_TAGGED body (type 42), a message of mysql::serialization.
[[nodiscard]] Result<RawGtid> read_raw_gtid_tagged(std::span<const std::byte> body);
[[nodiscard]] Result<GtidEvent> read_gtid_tagged(std::span<const std::byte> body);
/// A QUERY body or the beginning of one.
[[nodiscard]] Result<QueryEvent> read_query(std::span<const std::byte> body);

}  // namespace baton::binlog
