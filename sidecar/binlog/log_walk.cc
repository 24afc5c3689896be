#include "sidecar/binlog/log_walk.h"

#include <algorithm>
#include <array>

#include "sidecar/bytes/byte_reader.h"

namespace baton::binlog {
namespace {

/// Noise ends a segment that is at least so long; a shorter one takes it in and is not plain any more.
constexpr std::uint64_t kSegmentBeforeNoise = 64 * 1024;

std::unexpected<Error> at_offset(std::string_view name, std::uint64_t offset, const Error& error) {
  return fail(error.kind, "{} at offset {}: {}", name, offset, error.what);
}

}  // namespace

Result<bool> read_in_use(ByteSource& source) {
  std::array<std::byte, kMagic.size() + EventHeader::kLength> head{};
  TRY(count, source.read(0, head));
  if (count < head.size()) return true;  // mysqld closes no file that has not even one event.
  return (read_header(std::span(head).subspan(kMagic.size())).flags & kFlagInUse) != 0;
}

Result<LogKind> guess_kind(ByteSource& source, std::string_view name) {
  std::array<std::byte, kMagic.size() + EventHeader::kLength> head{};
  TRY(count, source.read(0, head));
  const std::string_view magic = ByteReader::as_text(std::span(head).first(std::min(count, kMagic.size())));
  // An encrypted file does not tell; whoever reads it says so.
  if (count < head.size() || magic == kEncryptedMagic) return LogKind::kBinlog;
  if (magic != kMagic) return fail(ErrorKind::kCorrupt, "{} at offset 0: this is no binary log", name);
  const EventHeader first = read_header(std::span(head).subspan(kMagic.size()));
  return (first.flags & kFlagRelayLog) != 0 ? LogKind::kRelay : LogKind::kBinlog;
}

Result<bool> LogWalk::read_on(const Step& step) {
  if (!has_magic_) {
    TRY(has_magic, check_magic(step));
    if (!has_magic) return true;
    has_magic_ = true;
  }
  // What is judged in another way now is judged from where nothing was open.
  if (step.tail != tail_ || step.verify != verify_) {
    tail_ = step.tail;
    verify_ = step.verify;
    rewind();
  }
  TRY(is_there, open_part_is_there());
  if (!is_there) rewind();
  contents_.torn_tail_reason.clear();
  reader_.events().extend(std::max(step.end, reader_.events().position()), step.stop);
  auto done = read_items(step);
  settle();
  last_offset_ = 0;
  if (done && reader_.is_open()) {
    TRY(count, source_.read(reader_.event().offset, last_header_));
    if (count == last_header_.size()) last_offset_ = reader_.event().offset;
  }
  return done;
}

/// A receiver that starts again may cut off the transaction that it had begun, and write something else there, before
/// anybody looks: then the walk stands in the middle of nothing.
Result<bool> LogWalk::open_part_is_there() {
  if (last_offset_ == 0) return true;
  std::array<std::byte, EventHeader::kLength> now{};
  TRY(count, source_.read(last_offset_, now));
  return count == now.size() && now == last_header_;
}

void LogWalk::rewind() {
  last_offset_ = 0;
  const auto& known = contents_.descriptions;
  reader_.rewind(std::max<std::uint64_t>(contents_.end_position, kMagic.size()),
                 known.empty() ? ChecksumAlgorithm::kCrc32 : known.back().checksum, verify_);
}

/// Whether the file begins as a log does; false when it is too short to tell.
Result<bool> LogWalk::check_magic(const Step& step) {
  std::array<std::byte, kMagic.size()> magic{};
  TRY(count, source_.read(0, std::span(magic).first(std::min<std::size_t>(magic.size(), step.end))));
  const std::string_view text = ByteReader::as_text(std::span(magic).first(count));
  if (text == kMagic) return true;
  if (text == kEncryptedMagic) {
    return fail(ErrorKind::kUnsafe,
                "{} is encrypted and cannot be read without mysqld: set binlog_encryption=OFF, then {}, and wait until "
                "no encrypted file is needed any more",
                name_, kind_ == LogKind::kRelay ? "FLUSH RELAY LOGS" : "FLUSH BINARY LOGS");
  }
  const bool is_begun = count < kMagic.size() &&
                        (kMagic.starts_with(text) || std::ranges::all_of(text, [](char c) { return c == '\0'; }));
  if (!is_begun) return fail(ErrorKind::kCorrupt, "{} at offset 0: this is no binary log", name_);
  if (step.tail == Tail::kGrowing) return false;
  if (step.tail == Tail::kOlder && kind_ == LogKind::kBinlog) {
    return fail(ErrorKind::kCorrupt, "{} at offset 0: the file has no head", name_);
  }
  contents_.torn_tail_reason = std::format("{} at offset 0: the file ends within its head", name_);
  return false;
}

Result<bool> LogWalk::read_items(const Step& step) {
  const std::uint64_t begin = reader_.events().position();
  while (true) {
    const std::uint64_t passed = reader_.events().position() - begin;
    if (passed >= step.most) return false;
    const auto item = reader_.next(step.most - passed);
    if (!item) return at_offset(name_, reader_.error_offset(), item.error());
    if (!*item) return false;
    if (**item == TransactionReader::Item::kEnd) return ended(step);
    if (**item == TransactionReader::Item::kDamage) return ended_by(step, reader_.damage());
    if (auto taken = take(**item); !taken) return at_offset(name_, reader_.error_offset(), taken.error());
  }
}

Result<void> LogWalk::take(TransactionReader::Item item) {
  switch (item) {
    case TransactionReader::Item::kTransaction: take_transaction(); break;
    case TransactionReader::Item::kDescription: take_description(); break;
    case TransactionReader::Item::kPrevious: {
      TRY(previous, read_previous_gtids(reader_.event().body));
      contents_.previous = std::move(previous);
      contents_.has_previous = true;
      break;
    }
    case TransactionReader::Item::kPart:
      ++contents_.parts;
      return {};  // The log rests behind the event that is still held back.
    default: break;
  }
  contents_.end_position = reader_.event().end;
  return {};
}

void LogWalk::take_description() {
  const auto event = reader_.events().description();
  contents_.descriptions.push_back({reader_.event().offset, {event.begin(), event.end()}, reader_.events().checksum()});
  settle();
  segment_is_open_ = false;
}

void LogWalk::take_transaction() {
  const Transaction& transaction = reader_.transaction();
  if (needs_new_segment(transaction)) {
    settle();
    const auto description = static_cast<std::uint32_t>(contents_.descriptions.size() - 1);
    contents_.segments.push_back({.begin = transaction.begin, .end = transaction.begin, .description = description});
    segment_is_open_ = true;
  }
  Segment& segment = contents_.segments.back();
  if (transaction.begin != segment.end) segment.is_plain = false;
  segment.end = transaction.end;
  if (transaction.has_gtid) {
    ++segment.count;
    collected_.add(transaction.gtid);
  } else {
    segment.has_anonymous = true;
    segment.is_plain = false;
    ++contents_.transactions_without_gtid;
  }
}

bool LogWalk::needs_new_segment(const Transaction& transaction) const {
  if (!segment_is_open_) return true;
  const Segment& segment = contents_.segments.back();
  const std::uint64_t length = segment.end - segment.begin;
  return length >= Segment::kLength || (transaction.begin != segment.end && length >= kSegmentBeforeNoise);
}

/// Brings what was collected into the sets.
void LogWalk::settle() {
  if (collected_.empty()) return;
  Segment& segment = contents_.segments.back();
  GtidSet more;
  collected_.flush_into(more);
  segment.transactions = segment.transactions.united(more);
  contents_.transactions = contents_.transactions.united(more);
  if (segment.transactions.size() != segment.count) segment.is_plain = false;  // Some GTID came twice.
}

Result<bool> LogWalk::ended(const Step& step) {
  if (step.tail == Tail::kGrowing) return true;
  if (reader_.is_open()) return torn(step, reader_.open_since(), "the file ends within a transaction");
  if (contents_.has_previous) return true;
  // mysqld's recovery cuts a file that is torn within its head behind FORMAT_DESCRIPTION, closes it and goes on with
  // the next. Such a file holds no transaction.
  if (reader_.has_description() && !step.in_use) return true;
  return torn(step, reader_.events().position(), "the file ends within its head");
}

Result<bool> LogWalk::ended_by(const Step& step, const Damage& damage) {
  if (step.tail == Tail::kGrowing) {
    if (!damage.is_cut)
      contents_.torn_tail_reason = std::format("{} at offset {}: {}", name_, damage.offset, damage.reason);
    return true;
  }
  auto behind = reader_.events().find_event_behind(damage.offset);
  if (!behind) return at_offset(name_, damage.offset, behind.error());
  if (*behind) {
    return fail(ErrorKind::kCorrupt, "{} at offset {}: {}, and at offset {} there is an event again", name_,
                damage.offset, damage.reason, **behind);
  }
  return torn(step, damage.offset, damage.reason);
}

Result<bool> LogWalk::torn(const Step& step, std::uint64_t offset, std::string_view reason) {
  // No file is closed before its head is written: without a good FORMAT_DESCRIPTION the flag in it means nothing.
  const bool is_closed = reader_.has_description() && !step.in_use;
  if (kind_ == LogKind::kBinlog && (step.tail == Tail::kOlder || is_closed)) {
    return fail(ErrorKind::kCorrupt, "{} at offset {}: {}", name_, offset, reason);
  }
  contents_.torn_tail_reason = std::format("{} at offset {}: {}", name_, offset, reason);
  return true;
}

}  // namespace baton::binlog
