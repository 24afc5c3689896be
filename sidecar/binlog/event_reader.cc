#include "sidecar/binlog/event_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "engine/base/ensure.h"
#include "sidecar/bytes/byte_reader.h"

namespace baton::binlog {
namespace {

constexpr std::size_t kBufferLength = 256 * 1024;
/// A tail that looks like very many events is no torn write: looking further would only cost time.
constexpr int kCandidatesMost = 64;

std::uint32_t crc32_of(std::uint32_t so_far, std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(so_far, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

/// IN_USE is set while a file is open and cleared when it is closed; the checksum is always that of the closed file.
std::uint32_t checksum_of_header(std::span<const std::byte> header, EventType type) {
  constexpr std::size_t kFlagsOffset = 17;
  std::array<std::byte, EventHeader::kLength> copy{};
  std::ranges::copy(header, copy.begin());
  if (type == EventType::kFormatDescription) copy[kFlagsOffset] &= ~std::byte{kFlagInUse};
  return crc32_of(0, std::span(copy).first(header.size()));
}

}  // namespace

Result<std::variant<Event, EndOfLog, Damage>> EventReader::next() {
  using Next = std::variant<Event, EndOfLog, Damage>;
  if (at_ == end_) return Next(EndOfLog{});
  if (end_ - at_ < EventHeader::kLength) {
    return Next(Damage{at_, std::format("the header of an event is cut after {} bytes", end_ - at_)});
  }
  TRY(header, header_at(at_));
  if (auto damage = check_length(header)) return Next(std::move(*damage));
  TRY_VOID(read_body(header, at_));
  if (has_checksum(header.type) && computed_checksum_ != stored_checksum_) {
    return Next(Damage{at_, std::format("the checksum of an event of type {} and {} bytes is wrong",
                                        std::to_underlying(header.type), header.length)});
  }
  if (header.type == EventType::kFormatDescription) {
    TRY(description, read_format_description(body_));
    checksum_ = description.checksum;
  }
  Event event{.header = header, .offset = at_, .end = at_ + header.length, .body = body_, .body_length = 0};
  event.body_length = header.length - EventHeader::kLength - (has_checksum(header.type) ? kChecksumLength : 0);
  at_ = event.end;
  return Next(event);
}

Result<std::optional<std::uint64_t>> EventReader::find_event_behind(std::uint64_t offset) {
  int candidates = 0;
  for (std::uint64_t start = offset + 1; start + EventHeader::kLength <= end_;) {
    TRY(bytes, bytes_at(start, kBufferLength));
    const std::vector<std::byte> part(bytes.begin(), bytes.end());  // The buffer changes when a candidate is read.
    if (part.size() < EventHeader::kLength) break;
    const std::size_t places = part.size() - EventHeader::kLength + 1;
    for (std::size_t i = 0; i < places; ++i) {
      const EventHeader header = read_header(std::span(part).subspan(i, EventHeader::kLength));
      const std::uint64_t place = start + i;
      // log_pos is 32 bits of the offset behind the event: this test fails for nearly everything that is no event.
      if (header.length < EventHeader::kLength || header.length > end_ - place ||
          header.log_pos != static_cast<std::uint32_t>(place + header.length)) {
        continue;
      }
      if (++candidates > kCandidatesMost) return place;
      TRY(found, is_event_at(place, header));
      if (found) return place;
    }
    start += places;
  }
  return std::nullopt;
}

Result<EventHeader> EventReader::header_at(std::uint64_t offset) {
  TRY(bytes, bytes_at(offset, EventHeader::kLength));
  // The file was longer when it was opened: somebody cuts it while we read.
  if (bytes.size() < EventHeader::kLength) return fail(ErrorKind::kRetry, "the file became shorter while it was read");
  return read_header(bytes.first(EventHeader::kLength));
}

std::optional<Damage> EventReader::check_length(const EventHeader& header) const {
  if (header.length == 0 && header.timestamp == 0 && header.type == EventType{} && header.log_pos == 0) {
    return Damage{at_, "zero bytes where an event should begin"};
  }
  const std::size_t least = EventHeader::kLength + (has_checksum(header.type) ? kChecksumLength : 0);
  if (header.length < least) return Damage{at_, std::format("an event has the impossible length {}", header.length)};
  if (header.length > end_ - at_) {
    return Damage{at_, std::format("an event of {} bytes is cut after {}", header.length, end_ - at_)};
  }
  return std::nullopt;
}

Result<void> EventReader::read_body(const EventHeader& header, std::uint64_t offset) {
  const std::size_t trailer = has_checksum(header.type) ? kChecksumLength : 0;
  const std::uint64_t body_end = offset + header.length - trailer;
  const bool keep_all = header.type == EventType::kPreviousGtids;
  // Without a checksum nothing but the beginning is of use.
  const bool read_all = keep_all || trailer > 0;
  const std::uint64_t read_end = read_all ? body_end : std::min(body_end, offset + EventHeader::kLength + kKeptBody);
  body_.clear();
  computed_checksum_ = 0;
  for (std::uint64_t at = offset; at < read_end;) {
    if (stop_.stop_requested()) return fail(ErrorKind::kCancelled, "told to stop");
    TRY(bytes, bytes_at(at, std::min<std::uint64_t>(kBufferLength, read_end - at)));
    if (bytes.empty()) return fail(ErrorKind::kRetry, "the file became shorter while it was read");
    const std::size_t skipped = at == offset ? std::min(bytes.size(), EventHeader::kLength) : 0;
    if (skipped > 0) computed_checksum_ = checksum_of_header(bytes.first(skipped), header.type);
    const auto rest = bytes.subspan(skipped);
    computed_checksum_ = crc32_of(computed_checksum_, rest);
    const std::size_t room = keep_all ? rest.size() : kKeptBody - std::min(kKeptBody, body_.size());
    const auto kept = rest.first(std::min(room, rest.size()));
    body_.insert(body_.end(), kept.begin(), kept.end());
    at += bytes.size();
  }
  if (trailer == 0) return {};
  TRY(stored, bytes_at(body_end, kChecksumLength));
  ByteReader reader(stored);
  if (!reader.read_u32(stored_checksum_)) return fail(ErrorKind::kRetry, "the file became shorter while it was read");
  return {};
}

Result<bool> EventReader::is_event_at(std::uint64_t offset, const EventHeader& header) {
  if (header.type == EventType{}) return false;
  if (!has_checksum(header.type)) return true;
  if (header.length < EventHeader::kLength + kChecksumLength) return false;
  TRY_VOID(read_body(header, offset));
  return computed_checksum_ == stored_checksum_;
}

Result<std::span<const std::byte>> EventReader::bytes_at(std::uint64_t offset, std::size_t most) {
  const bool inside = offset >= buffer_offset_ && offset - buffer_offset_ < buffer_.size();
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(most, end_ - offset));
  if (!inside || buffer_offset_ + buffer_.size() - offset < wanted) {
    buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kBufferLength, end_ - offset)));
    buffer_offset_ = offset;
    TRY(count, source_.read(offset, buffer_));
    buffer_.resize(count);
  }
  const auto available = std::span<const std::byte>(buffer_).subspan(static_cast<std::size_t>(offset - buffer_offset_));
  return available.first(std::min(wanted, available.size()));
}

// FORMAT_DESCRIPTION carries a checksum even where all other events do not (Format_description_log_event::write).
bool EventReader::has_checksum(EventType type) const {
  return checksum_ == ChecksumAlgorithm::kCrc32 || type == EventType::kFormatDescription;
}

}  // namespace baton::binlog
