#include "sidecar/binlog/event_reader.h"

#include <algorithm>

#include "sidecar/binlog/checksum.h"
#include "sidecar/binlog/load.h"
#include "sidecar/bytes/byte_reader.h"

namespace baton::binlog {
namespace {

constexpr std::size_t kBufferLength = 256 * 1024;
/// Read at once where bodies were passed over: a page costs little, and headers of large events lie far from each
/// other.
constexpr std::size_t kSmallRead = 4096;
/// A tail that looks like very many events is no torn write: looking further would only cost time.
constexpr int kCandidatesMost = 64;
/// What stands at a fresh start in a relay log is short: FORMAT_DESCRIPTION and GTID events.
constexpr std::uint32_t kShortEvent = 512;

std::unexpected<Error> became_shorter() { return fail(ErrorKind::kRetry, "the file became shorter while it was read"); }

/// Whether a walk by headers needs the body.
bool tells_boundaries(EventType type) {
  return type == EventType::kGtid || type == EventType::kGtidTagged || type == EventType::kQuery ||
         type == EventType::kFormatDescription || type == EventType::kPreviousGtids;
}

}  // namespace

Result<std::variant<Event, EndOfLog, Damage>> EventReader::next() {
  using Next = std::variant<Event, EndOfLog, Damage>;
  TRY(found, advance());
  switch (found) {
    case Found::kEvent: return Next(event_);
    case Found::kEnd: return Next(EndOfLog{});
    case Found::kDamage: return Next(damage_);
  }
  std::unreachable();
}

Result<EventReader::Found> EventReader::advance() {
  if (at_ == end_) return Found::kEnd;
  if (end_ - at_ < EventHeader::kLength) {
    damage_ = {at_, std::format("the header of an event is cut after {} bytes", end_ - at_), true};
    return Found::kDamage;
  }
  const std::byte* bytes = buffered(at_, EventHeader::kLength);
  if (bytes == nullptr) {
    TRY_VOID(fill(at_, EventHeader::kLength));
    bytes = buffered(at_, EventHeader::kLength);
    // The file was longer when it was opened: somebody cuts it while we read.
    if (bytes == nullptr) return became_shorter();
  }
  const EventHeader header = read_header(std::span(bytes, EventHeader::kLength));
  if (has_damage(header)) return Found::kDamage;
  const std::size_t trailer = has_checksum(header.type) ? kChecksumLength : 0;
  if (must_verify(header.type)) {
    TRY_VOID(read_whole(header, at_));
    if (trailer > 0 && computed_checksum_ != stored_checksum_) {
      damage_ = {at_,
                 std::format("the checksum of an event of type {} and {} bytes is wrong",
                             std::to_underlying(header.type), header.length),
                 false};
      return Found::kDamage;
    }
  } else if (tells_boundaries(header.type)) {
    TRY_VOID(read_part(header));
  } else {
    body_ = {};
  }
  if (header.type == EventType::kFormatDescription) TRY_VOID(take_description(header));
  if (options_.kind == LogKind::kRelay) shift_ = header.log_pos - static_cast<std::uint32_t>(at_ + header.length);
  event_ = {.header = header,
            .offset = at_,
            .end = at_ + header.length,
            .body = body_,
            .body_length = header.length - EventHeader::kLength - trailer};
  at_ = event_.end;
  return Found::kEvent;
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
      if (!may_be_event(header, place)) continue;
      if (++candidates > kCandidatesMost && header.length > kShortEvent) return place;
      TRY(found, is_event_at(place, header));
      if (found) return place;
    }
    start += places;
  }
  return std::nullopt;
}

void EventReader::move_to(std::uint64_t offset, ChecksumAlgorithm checksum, Verify verify) {
  at_ = offset;
  options_.checksum = checksum;
  options_.verify = verify;
  buffer_size_ = 0;
}

/// Whether no event can have this header here; damage_ says why.
bool EventReader::has_damage(const EventHeader& header) {
  const std::size_t least = EventHeader::kLength + (has_checksum(header.type) ? kChecksumLength : 0);
  const bool checks_place = options_.verify == Verify::kHeaders && options_.kind == LogKind::kBinlog;
  if (header.length >= least && header.length <= end_ - at_ &&
      (!checks_place || header.log_pos == static_cast<std::uint32_t>(at_ + header.length))) {
    return false;
  }
  damage_ = {.offset = at_, .reason = {}, .is_cut = false};
  if (header.length == 0 && header.timestamp == 0 && header.type == EventType{} && header.log_pos == 0) {
    damage_.reason = "zero bytes where an event should begin";
  } else if (header.length < least) {
    damage_.reason = std::format("an event has the impossible length {}", header.length);
  } else if (header.length > end_ - at_) {
    damage_.reason = std::format("an event of {} bytes is cut after {}", header.length, end_ - at_);
    damage_.is_cut = true;
  } else {
    damage_.reason = std::format("an event of {} bytes says that it ends at {}", header.length, header.log_pos);
  }
  return true;
}

/// The body where the caller needs it, unverified.
Result<void> EventReader::read_part(const EventHeader& header) {
  const std::size_t trailer = has_checksum(header.type) ? kChecksumLength : 0;
  const std::size_t wanted = std::min<std::size_t>(header.length - trailer, EventHeader::kLength + kKeptBody);
  TRY(bytes, bytes_at(at_, wanted));
  if (bytes.size() < wanted) return became_shorter();
  body_ = bytes.subspan(EventHeader::kLength);
  return {};
}

/// The body and both checksums.
Result<void> EventReader::read_whole(const EventHeader& header, std::uint64_t offset) {
  const std::size_t trailer = has_checksum(header.type) ? kChecksumLength : 0;
  if (header.length > kBufferLength) return read_large(header, offset);
  TRY(event, bytes_at(offset, header.length));
  if (event.size() < header.length) return became_shorter();
  body_ = event.subspan(EventHeader::kLength, header.length - EventHeader::kLength - trailer);
  if (trailer == 0) return {};
  if (header.type == EventType::kFormatDescription) {
    computed_checksum_ = crc32_of(crc32_of_header(event.first(EventHeader::kLength), header.type), body_);
  } else {
    computed_checksum_ = crc32_of(0, event.first(event.size() - kChecksumLength));
  }
  stored_checksum_ = load<std::uint32_t>(event.last(kChecksumLength).data());
  body_ = body_.first(std::min(body_.size(), header.type == EventType::kPreviousGtids ? body_.size() : kKeptBody));
  return {};
}

/// The same for an event that the buffer does not hold.
Result<void> EventReader::read_large(const EventHeader& header, std::uint64_t offset) {
  const std::size_t trailer = has_checksum(header.type) ? kChecksumLength : 0;
  const std::uint64_t body_end = offset + header.length - trailer;
  const bool keep_all = header.type == EventType::kPreviousGtids;
  // Without a checksum nothing but the beginning is of use.
  const bool read_all = keep_all || trailer > 0;
  const std::uint64_t read_end = read_all ? body_end : std::min(body_end, offset + EventHeader::kLength + kKeptBody);
  kept_.clear();
  computed_checksum_ = 0;
  for (std::uint64_t at = offset; at < read_end;) {
    if (stop_.stop_requested()) return fail(ErrorKind::kCancelled, "told to stop");
    TRY(bytes, bytes_at(at, static_cast<std::size_t>(std::min<std::uint64_t>(kBufferLength, read_end - at))));
    const std::size_t skipped = at == offset ? EventHeader::kLength : 0;
    if (bytes.empty() || bytes.size() < skipped) return became_shorter();
    if (skipped > 0) computed_checksum_ = crc32_of_header(bytes.first(skipped), header.type);
    const auto rest = bytes.subspan(skipped);
    computed_checksum_ = crc32_of(computed_checksum_, rest);
    const std::size_t room = keep_all ? rest.size() : kKeptBody - std::min(kKeptBody, kept_.size());
    const auto kept = rest.first(std::min(room, rest.size()));
    kept_.insert(kept_.end(), kept.begin(), kept.end());
    at += bytes.size();
  }
  body_ = kept_;
  if (trailer == 0) return {};
  TRY(stored, bytes_at(body_end, kChecksumLength));
  ByteReader reader(stored);
  if (!reader.read_u32(stored_checksum_)) return became_shorter();
  return {};
}

Result<void> EventReader::take_description(const EventHeader& header) {
  if (header.length > kBufferLength) {
    return fail(ErrorKind::kUnsafe, "a FORMAT_DESCRIPTION of {} bytes is not known", header.length);
  }
  TRY(description, read_format_description(body_));
  options_.checksum = description.checksum;
  TRY(whole, bytes_at(at_, header.length));
  if (whole.size() < header.length) return became_shorter();
  description_ = whole;
  return {};
}

bool EventReader::may_be_event(const EventHeader& header, std::uint64_t place) const {
  if (header.length < EventHeader::kLength || header.length > end_ - place) return false;
  // log_pos is 32 bits of the offset behind the event: this test fails for nearly everything that is no event.
  if (header.log_pos == static_cast<std::uint32_t>(place + header.length) + shift_) return true;
  if (options_.kind == LogKind::kBinlog || header.length > kShortEvent) return false;
  const bool is_gtid = header.type == EventType::kGtid || header.type == EventType::kGtidTagged;
  return header.type == EventType::kFormatDescription || (is_gtid && has_checksum(header.type));
}

Result<bool> EventReader::is_event_at(std::uint64_t offset, const EventHeader& header) {
  if (header.type == EventType{}) return false;
  if (!has_checksum(header.type)) return true;
  if (header.length < EventHeader::kLength + kChecksumLength) return false;
  TRY_VOID(read_whole(header, offset));
  return computed_checksum_ == stored_checksum_;
}

Result<std::span<const std::byte>> EventReader::bytes_at(std::uint64_t offset, std::size_t most) {
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(most, end_ - offset));
  if (const std::byte* bytes = buffered(offset, wanted)) return std::span(bytes, wanted);
  TRY_VOID(fill(offset, wanted));
  return std::span<const std::byte>(buffer_.get(), std::min(wanted, buffer_size_));
}

Result<void> EventReader::fill(std::uint64_t offset, std::size_t wanted) {
  if (stop_.stop_requested()) return fail(ErrorKind::kCancelled, "told to stop");
  const bool passed_over =
      options_.verify == Verify::kHeaders && buffer_size_ > 0 && offset > buffer_offset_ + buffer_size_ + kSmallRead;
  const std::size_t length = std::max(wanted, passed_over ? kSmallRead : kBufferLength);
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(length, end_ - offset));
  if (count > buffer_room_) {
    // Small files are many while a server idles; most need no more than what is there.
    buffer_room_ = count <= kSmallRead ? kSmallRead : kBufferLength;
    buffer_ = std::make_unique_for_overwrite<std::byte[]>(buffer_room_);
  }
  buffer_size_ = 0;
  buffer_offset_ = offset;
  TRY(read, source_->read(offset, std::span(buffer_.get(), count)));
  buffer_size_ = read;
  return {};
}

// FORMAT_DESCRIPTION carries a checksum even where all other events do not (Format_description_log_event::write).
bool EventReader::has_checksum(EventType type) const {
  return options_.checksum == ChecksumAlgorithm::kCrc32 || type == EventType::kFormatDescription;
}

bool EventReader::must_verify(EventType type) const {
  return options_.verify == Verify::kChecksums || type == EventType::kFormatDescription ||
         type == EventType::kPreviousGtids;
}

}  // namespace baton::binlog
