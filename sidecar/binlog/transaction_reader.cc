#include "sidecar/binlog/transaction_reader.h"

namespace baton::binlog {
namespace {

bool begins_transaction(EventType type) {
  return type == EventType::kGtid || type == EventType::kGtidTagged || type == EventType::kAnonymousGtid;
}

/// What a receiver writes on its own account, or for a new connection; never a part of a transaction.
bool is_between(EventType type) {
  return type == EventType::kRotate || type == EventType::kFormatDescription || type == EventType::kStop ||
         type == EventType::kPreviousGtids;
}

}  // namespace

using Item = TransactionReader::Item;

Result<std::optional<Item>> TransactionReader::next(std::uint64_t most) {
  const std::uint64_t begin = events_.position();
  while (true) {
    if (!held_back_) {
      error_offset_ = events_.position();
      TRY(found, events_.advance());
      if (found == EventReader::Found::kDamage) return Item::kDamage;
      if (found == EventReader::Found::kEnd) return Item::kEnd;
      if (ends_part()) {
        held_back_ = true;
        tracker_.drop();
        return Item::kPart;
      }
    }
    held_back_ = false;
    TRY(item, take());
    if (item) return item;
    if (events_.position() - begin >= most) return std::nullopt;
  }
}

void TransactionReader::rewind(std::uint64_t offset, ChecksumAlgorithm checksum, Verify verify) {
  events_.move_to(offset, checksum, verify);
  tracker_.drop();
  held_back_ = false;
}

bool TransactionReader::ends_part() const {
  return kind_ == LogKind::kRelay && tracker_.is_open() &&
         (begins_transaction(event().header.type) || is_between(event().header.type));
}

Result<std::optional<Item>> TransactionReader::take() {
  TRY_VOID(check_order());
  const EventType type = event().header.type;
  has_description_ = true;
  if (kind_ == LogKind::kRelay) {
    if (begins_transaction(type)) passing_over_ = false;
    if (is_between(type)) passing_over_ = true;
    if (passing_over_ && !is_between(type)) return Item::kOther;
  }
  if (type == EventType::kPreviousGtids) has_previous_ = true;
  return feed();
}

/// FORMAT_DESCRIPTION first (and in a binary log only there), PREVIOUS_GTIDS once and before the first transaction.
Result<void> TransactionReader::check_order() const {
  const bool is_description = event().header.type == EventType::kFormatDescription;
  if (!is_description && !has_description_) return fail(ErrorKind::kCorrupt, "FORMAT_DESCRIPTION is missing");
  if (is_description && has_description_ && kind_ == LogKind::kBinlog) {
    return fail(ErrorKind::kCorrupt, "FORMAT_DESCRIPTION comes again");
  }
  const bool is_previous = event().header.type == EventType::kPreviousGtids;
  if (is_previous && has_previous_) return fail(ErrorKind::kCorrupt, "PREVIOUS_GTIDS comes again");
  if (begins_transaction(event().header.type) && !has_previous_) {
    return fail(ErrorKind::kCorrupt, "PREVIOUS_GTIDS is missing");
  }
  return {};
}

Result<std::optional<Item>> TransactionReader::feed() {
  const EventType type = event().header.type;
  QueryEvent query;
  if (type == EventType::kQuery) {
    TRY(read, read_query(event().body));
    query = read;
  }
  const bool had_begin = tracker_.is_inside();
  TRY(effect, tracker_.feed(event().header, query.text));
  switch (effect) {
    case TransactionTracker::Effect::kBegan: TRY_VOID(begin()); return std::nullopt;
    case TransactionTracker::Effect::kComplete:
      transaction_.end = event().end;
      transaction_.last = type;
      transaction_.is_statement = type == EventType::kQuery && !had_begin;
      return Item::kTransaction;
    case TransactionTracker::Effect::kNone: break;
  }
  if (tracker_.is_open()) return std::nullopt;
  if (type == EventType::kFormatDescription) return Item::kDescription;
  if (type == EventType::kPreviousGtids) return Item::kPrevious;
  return Item::kOther;
}

Result<void> TransactionReader::begin() {
  transaction_.begin = event().offset;
  transaction_.has_gtid = event().header.type != EventType::kAnonymousGtid;
  if (!transaction_.has_gtid) return {};
  TRY(gtid, event().header.type == EventType::kGtid ? read_raw_gtid(event().body) : read_raw_gtid_tagged(event().body));
  transaction_.gtid = gtid;
  return {};
}

}  // namespace baton::binlog
