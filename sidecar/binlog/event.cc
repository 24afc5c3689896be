#include "sidecar/binlog/event.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "engine/base/ensure.h"
#include "sidecar/binlog/load.h"
#include "sidecar/bytes/byte_reader.h"

namespace baton::binlog {
namespace {

constexpr std::size_t kUuidBytes = 16;
constexpr std::size_t kTagLengthMax = 32;

std::unexpected<Error> too_short(std::string_view what) { return fail(ErrorKind::kCorrupt, "{} is too short", what); }

std::string uuid_text(std::span<const std::uint8_t, kUuidBytes> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kDigits[bytes[i] >> 4]);
    text.push_back(kDigits[bytes[i] & 0xF]);
  }
  return text;
}

bool read_uuid(ByteReader& reader, std::string& uuid) {
  std::array<std::uint8_t, kUuidBytes> bytes{};
  for (std::uint8_t& byte : bytes) {
    if (!reader.read_u8(byte)) return false;
  }
  uuid = uuid_text(bytes);
  return true;
}

/// Whether the text is a tag as GtidSource wants it; mysqld stores tags in lower case.
bool is_tag(std::string_view text) {
  const auto starts = [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); };
  const auto goes_on = [&](char c) { return starts(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kTagLengthMax && starts(text.front()) && std::ranges::all_of(text, goes_on);
}

/// A varint length and a tag of that length; empty for an untagged source. Lives as long as the bytes do.
Result<std::string_view> read_tag(ByteReader& reader) {
  std::uint64_t length = 0;
  std::string_view tag;
  if (!reader.read_varint(length)) return too_short("the length of a tag");
  if (length > kTagLengthMax) return fail(ErrorKind::kCorrupt, "a tag of {} characters", length);
  if (!reader.read_string(static_cast<std::size_t>(length), tag)) return too_short("a tag");
  if (!tag.empty() && !is_tag(tag)) return fail(ErrorKind::kCorrupt, "a tag with characters that tags cannot have");
  return tag;
}

Result<void> check_number(std::int64_t number) {
  if (number >= 1 && number <= GtidSet::kMaxNumber) return {};
  return fail(ErrorKind::kCorrupt, "transaction number {} is out of range", number);
}

/// The intervals of one source: a count, then first number and the number behind the last, eight bytes each.
Result<void> read_intervals(ByteReader& reader, const GtidSource& source, GtidSet& set) {
  std::uint64_t count = 0;
  if (!reader.read_u64(count)) return too_short("PREVIOUS_GTIDS");
  std::uint64_t behind_previous = 0;
  for (; count > 0; --count) {
    std::uint64_t first = 0;
    std::uint64_t behind = 0;
    if (!reader.read_u64(first) || !reader.read_u64(behind)) return too_short("PREVIOUS_GTIDS");
    // Sorted, so that the number of intervals is the only cost of adding them.
    if (first <= behind_previous || behind <= first || behind > std::uint64_t{GtidSet::kMaxNumber} + 1) {
      return fail(ErrorKind::kCorrupt, "PREVIOUS_GTIDS has the impossible interval {} to before {}", first, behind);
    }
    set.add(source, {static_cast<std::int64_t>(first), static_cast<std::int64_t>(behind - 1)});
    behind_previous = behind;
  }
  return {};
}

/// The length that a GTID event tells, behind its logical and commit timestamps; 0 when the event is of an older form
/// (Gtid_event's constructor in control_events.cpp reads the optional parts in the same way).
std::uint64_t read_transaction_length(ByteReader& reader) {
  constexpr std::uint8_t kLogicalTimestamps = 2;
  constexpr std::uint64_t kOriginalFollows = std::uint64_t{1} << 55;
  std::uint8_t form = 0;
  std::uint64_t immediate_commit = 0;
  std::uint64_t original_commit = 0;
  std::uint64_t length = 0;
  if (!reader.read_u8(form) || form != kLogicalTimestamps || !reader.skip(16) || !reader.read_u56(immediate_commit)) {
    return 0;
  }
  if ((immediate_commit & kOriginalFollows) != 0 && !reader.read_u56(original_commit)) return 0;
  return reader.read_lenenc(length) ? length : 0;
}

/// The fields of a GTID_TAGGED message, numbered as Gtid_event::define_fields in control_events.h lists them.
enum class TaggedField : std::uint64_t {
  kFlags = 0,
  kUuid = 1,
  kNumber = 2,
  kTag = 3,
  kLastCommitted = 4,
  kSequenceNumber = 5,
  kImmediateCommit = 6,
  kOriginalCommit = 7,
  kTransactionLength = 8,
  kImmediateVersion = 9,
  kOriginalVersion = 10,
  kCommitGroupTicket = 11,
};

/// Each byte of the uuid is an integer of its own here.
bool read_uuid_of_varints(ByteReader& reader, std::array<std::uint8_t, kUuidBytes>& uuid) {
  for (std::uint8_t& byte : uuid) {
    std::uint64_t value = 0;
    if (!reader.read_varint(value) || value > 0xFF) return false;
    byte = static_cast<std::uint8_t>(value);
  }
  return true;
}

Result<void> read_tagged_field(ByteReader& reader, TaggedField field, RawGtid& event) {
  std::uint64_t unsigned_value = 0;
  std::int64_t signed_value = 0;
  bool done = false;
  switch (field) {
    case TaggedField::kUuid: done = read_uuid_of_varints(reader, event.uuid); break;
    case TaggedField::kNumber: done = reader.read_varint_signed(event.number); break;
    case TaggedField::kTransactionLength: done = reader.read_varint(event.transaction_length); break;
    case TaggedField::kLastCommitted:
    case TaggedField::kSequenceNumber: done = reader.read_varint_signed(signed_value); break;
    case TaggedField::kTag: {
      TRY(tag, read_tag(reader));
      std::ranges::copy(tag, event.tag.begin());
      event.tag_length = static_cast<std::uint8_t>(tag.size());
      return {};
    }
    default: done = reader.read_varint(unsigned_value); break;
  }
  if (!done) return fail(ErrorKind::kCorrupt, "field {} of GTID_TAGGED cannot be read", std::to_underlying(field));
  return {};
}

}  // namespace

EventHeader read_header(std::span<const std::byte> header) {
  ENSURE(header.size() >= EventHeader::kLength);
  const std::byte* at = header.data();
  return EventHeader{.timestamp = load<std::uint32_t>(at),
                     .type = static_cast<EventType>(load<std::uint8_t>(at + 4)),
                     .server_id = load<std::uint32_t>(at + 5),
                     .length = load<std::uint32_t>(at + EventHeader::kLengthOffset),
                     .log_pos = load<std::uint32_t>(at + 13),
                     .flags = load<std::uint16_t>(at + EventHeader::kFlagsOffset)};
}

Result<FormatDescription> read_format_description(std::span<const std::byte> body) {
  constexpr std::size_t kServerVersionLength = 50;  // ST_SERVER_VER_LEN
  constexpr std::uint16_t kBinlogVersion = 4;       // 5.0 and later.
  ByteReader reader(body);
  std::uint16_t version = 0;
  std::uint32_t created = 0;
  std::uint8_t header_length = 0;
  if (!reader.read_u16(version) || !reader.skip(kServerVersionLength) || !reader.read_u32(created) ||
      !reader.read_u8(header_length) || reader.remaining() == 0) {
    return too_short("FORMAT_DESCRIPTION");
  }
  if (version != kBinlogVersion || header_length != EventHeader::kLength) {
    return fail(ErrorKind::kUnsafe,
                "binary log format {} with event headers of {} bytes is not known; only {} and {} are", version,
                header_length, kBinlogVersion, EventHeader::kLength);
  }
  const auto algorithm = std::to_integer<std::uint8_t>(body.back());
  if (algorithm > std::to_underlying(ChecksumAlgorithm::kCrc32)) {
    return fail(ErrorKind::kUnsafe, "checksum algorithm {} is not known", algorithm);
  }
  return FormatDescription{static_cast<ChecksumAlgorithm>(algorithm)};
}

// Forms (libs/mysql/gtids/readme.md): v0 is a 56-bit count of sources and the type code 0; v1 is type code 1, a 48-bit
// count and again 1, and each source brings its tag. v2 exists, but up to 9.7 no server writes it.
Result<GtidSet> read_previous_gtids(std::span<const std::byte> body) {
  ByteReader reader(body);
  std::uint64_t count = 0;
  if (!reader.read_u64(count)) return too_short("PREVIOUS_GTIDS");
  const std::uint64_t form = count >> 56;
  if (form > 1) return fail(ErrorKind::kUnsafe, "PREVIOUS_GTIDS of form {} is not known", form);
  const bool has_tags = form == 1;
  if (has_tags && (count & 0xFF) != 1)
    return fail(ErrorKind::kCorrupt, "PREVIOUS_GTIDS contradicts itself on its form");
  if (has_tags) count = (count >> 8) & 0xFFFF'FFFF'FFFF;
  GtidSet set;
  for (; count > 0; --count) {
    GtidSource source;
    if (!read_uuid(reader, source.uuid)) return too_short("PREVIOUS_GTIDS");
    if (has_tags) {
      TRY(tag, read_tag(reader));
      source.tag = tag;
    }
    TRY_VOID(read_intervals(reader, source, set));
  }
  if (reader.remaining() != 0) {
    return fail(ErrorKind::kCorrupt, "PREVIOUS_GTIDS has {} bytes behind its end", reader.remaining());
  }
  return set;
}

GtidSource RawGtid::source() const { return {uuid_text(uuid), std::string(tag.data(), tag_length)}; }

Result<RawGtid> read_raw_gtid(std::span<const std::byte> body) {
  ByteReader reader(body);
  RawGtid event;
  std::uint8_t flags = 0;
  std::uint64_t number = 0;
  std::span<const std::byte> uuid;
  if (!reader.read_u8(flags) || !reader.read_bytes(kUuidBytes, uuid) || !reader.read_u64(number)) {
    return too_short("GTID");
  }
  std::memcpy(event.uuid.data(), uuid.data(), kUuidBytes);
  event.number = static_cast<std::int64_t>(number);
  TRY_VOID(check_number(event.number));
  event.transaction_length = read_transaction_length(reader);
  return event;
}

Result<RawGtid> read_raw_gtid_tagged(std::span<const std::byte> body) {
  constexpr std::uint64_t kSerializationVersion = 1;
  constexpr auto kLastKnown = std::to_underlying(TaggedField::kCommitGroupTicket);
  ByteReader reader(body);
  std::uint64_t version = 0;
  std::uint64_t size = 0;
  std::uint64_t last_needed = 0;
  if (!reader.read_varint(version) || !reader.read_varint(size) || !reader.read_varint(last_needed)) {
    return too_short("GTID_TAGGED");
  }
  if (version != kSerializationVersion) {
    return fail(ErrorKind::kUnsafe, "GTID_TAGGED of serialization version {} is not known", version);
  }
  if (last_needed > kLastKnown) return fail(ErrorKind::kUnsafe, "GTID_TAGGED needs the unknown field {}", last_needed);
  if (size != body.size()) {
    return fail(ErrorKind::kCorrupt, "GTID_TAGGED of {} bytes says that it has {}", body.size(), size);
  }
  RawGtid event;
  bool has_uuid = false;
  std::optional<std::uint64_t> previous;
  while (reader.remaining() > 0) {
    std::uint64_t field = 0;
    if (!reader.read_varint(field)) return too_short("GTID_TAGGED");
    if (previous && field <= *previous) return fail(ErrorKind::kCorrupt, "the fields of GTID_TAGGED are not in order");
    // Simple fields carry no length, so that nothing behind an unknown one can be found; the known ones came before it.
    if (field > kLastKnown) break;
    TRY_VOID(read_tagged_field(reader, static_cast<TaggedField>(field), event));
    has_uuid = has_uuid || static_cast<TaggedField>(field) == TaggedField::kUuid;
    previous = field;
  }
  if (!has_uuid) return fail(ErrorKind::kCorrupt, "GTID_TAGGED has no uuid");
  TRY_VOID(check_number(event.number));
  return event;
}

Result<GtidEvent> read_gtid(std::span<const std::byte> body) {
  TRY(raw, read_raw_gtid(body));
  return GtidEvent{raw.source(), raw.number, raw.transaction_length};
}

Result<GtidEvent> read_gtid_tagged(std::span<const std::byte> body) {
  TRY(raw, read_raw_gtid_tagged(body));
  return GtidEvent{raw.source(), raw.number, raw.transaction_length};
}

Result<QueryEvent> read_query(std::span<const std::byte> body) {
  constexpr std::size_t kThreadAndTime = 8;
  ByteReader reader(body);
  std::uint8_t schema_length = 0;
  std::uint16_t error_code = 0;
  std::uint16_t status_length = 0;
  if (!reader.skip(kThreadAndTime) || !reader.read_u8(schema_length) || !reader.read_u16(error_code) ||
      !reader.read_u16(status_length) || !reader.skip(status_length) ||
      !reader.skip(std::size_t{schema_length} + 1)) {  // A NUL ends the schema's name.
    return too_short("QUERY");
  }
  if (reader.remaining() == 0) return fail(ErrorKind::kCorrupt, "QUERY has no statement");
  return QueryEvent{ByteReader::as_text(reader.rest())};
}

}  // namespace baton::binlog
