#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/result.h"
#include "sidecar/binlog/event_reader.h"
#include "sidecar/binlog/transaction_tracker.h"

namespace baton::binlog {

/// A whole transaction's place in a log.
struct Transaction {
  std::uint64_t begin = 0;  ///< Of its GTID event.
  std::uint64_t end = 0;    ///< Behind its last event.
  bool has_gtid = false;    ///< false: ANONYMOUS_GTID.
  RawGtid gtid;
  EventType last{};           ///< Of the event that ends it.
  bool is_statement = false;  ///< One QUERY without BEGIN: a DDL, XA COMMIT, XA ROLLBACK.
};

/// Reads whole transactions out of one log, front to back, and what stands between them. Not synchronised.
///
/// A binary log follows TransactionTracker's grammar strictly, with FORMAT_DESCRIPTION first and only there and
/// PREVIOUS_GTIDS behind it. A relay log is looser (sql/rpl_replica.cc, queue_event and process_io_rotate):
///
///   relay = magic FORMAT_DESCRIPTION(of the replica) PREVIOUS_GTIDS(what the channel had received before)
///           { ROTATE | FORMAT_DESCRIPTION(of the source) | transaction | part | noise }
///   part  = the beginning of a transaction
///
/// where each FORMAT_DESCRIPTION says how what is behind it is read. When a receiver loses its source within a
/// transaction, the part that it has stays in the log, and the whole transaction comes again behind ROTATE and
/// FORMAT_DESCRIPTION. So an open transaction is dropped at a GTID, a FORMAT_DESCRIPTION, a ROTATE and the file's end,
/// as the applier rolls it back there; what follows is passed over up to the next GTID.
class TransactionReader {
 public:
  enum class Item : std::uint8_t {
    kTransaction,  ///< See transaction().
    kDescription,  ///< A FORMAT_DESCRIPTION; see event() and events().
    kPrevious,     ///< PREVIOUS_GTIDS; see event().
    kOther,        ///< Something else that stands between transactions.
    kPart,         ///< A relay log's open transaction was dropped; the event that made it so comes next, if it counts.
    kEnd,          ///< The bytes end where an event ends; a transaction may be open.
    kDamage,       ///< See damage().
  };

  /// `events` begins at the magic's end, or where a transaction begins (then `has_head`).
  TransactionReader(EventReader events, LogKind kind, bool has_head = false)
      : events_(std::move(events)), kind_(kind), has_description_(has_head), has_previous_(has_head) {}

  /// The next piece; after kEnd and kDamage the same again, until there are more bytes. Reads at most one transaction,
  /// and returns false once about `most` bytes were passed within it: call again. Errors: kCorrupt for an event out of
  /// place, at error_offset(); kUnsafe for an unknown one; else as EventReader::next.
  [[nodiscard]] Result<std::optional<Item>> next(std::uint64_t most);

  [[nodiscard]] const Transaction& transaction() const { return transaction_; }
  [[nodiscard]] const Event& event() const { return events_.event(); }
  [[nodiscard]] const Damage& damage() const { return events_.damage(); }
  [[nodiscard]] EventReader& events() { return events_; }
  /// Whether a transaction has begun, at open_since(), and has not ended.
  [[nodiscard]] bool is_open() const { return tracker_.is_open(); }
  [[nodiscard]] std::uint64_t open_since() const { return transaction_.begin; }
  [[nodiscard]] bool has_description() const { return has_description_; }
  [[nodiscard]] bool has_previous() const { return has_previous_; }
  /// Where the event stands that the last failure is about.
  [[nodiscard]] std::uint64_t error_offset() const { return error_offset_; }

  /// Goes back to where no transaction was open.
  void rewind(std::uint64_t offset, ChecksumAlgorithm checksum, Verify verify);

 private:
  [[nodiscard]] Result<std::optional<Item>> take();
  [[nodiscard]] Result<void> check_order() const;
  [[nodiscard]] Result<std::optional<Item>> feed();
  [[nodiscard]] Result<void> begin();
  [[nodiscard]] bool ends_part() const;

  EventReader events_;
  LogKind kind_;
  TransactionTracker tracker_;
  Transaction transaction_;
  std::uint64_t error_offset_ = 0;
  bool has_description_ = false;
  bool has_previous_ = false;
  bool passing_over_ = false;  ///< A relay log's events up to the next GTID mean nothing.
  bool held_back_ = false;     ///< event() was read, but kPart had to be told first.
};

}  // namespace baton::binlog
