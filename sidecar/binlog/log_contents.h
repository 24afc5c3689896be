#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/event_reader.h"

namespace baton::binlog {

/// A FORMAT_DESCRIPTION event of a log, as it stands there.
struct Description {
  std::uint64_t offset = 0;
  std::vector<std::byte> event;  ///< Header, body, checksum.
  ChecksumAlgorithm checksum = ChecksumAlgorithm::kCrc32;
};

/// The version of the server that wrote it, as it stands there: "9.7.4", or with a suffix.
[[nodiscard]] std::string server_version(const Description& description);

/// The event as a reader of the log is to get it: IN_USE and RELAY_LOG cleared (a replica that stores the flag would
/// take its own relay log for an unclosed one); with `forget_start`, `created` zero, which keeps an applier from
/// dropping the temporary tables of transactions that it has applied. The checksum is made right.
[[nodiscard]] std::vector<std::byte> served_description(const Description& description, bool forget_start);

/// A stretch of a log, from where a transaction begins to where one ends, all behind the same FORMAT_DESCRIPTION.
struct Segment {
  /// A segment is closed with the transaction that makes it this long.
  static constexpr std::uint64_t kLength = 8 * 1024 * 1024;

  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint32_t description = 0;  ///< Place in LogContents::descriptions.
  /// Whether its bytes are transactions back to back, each with a GTID that comes once: fit to be sent without a look.
  bool is_plain = true;
  bool has_anonymous = false;  ///< Some transaction has no GTID.
  std::uint64_t count = 0;     ///< Of transactions with GTID.
  GtidSet transactions;        ///< The complete ones in it.
};

/// What one log file is known to hold. A plain value.
struct LogContents {
  std::vector<Description> descriptions;
  std::vector<Segment> segments;
  /// Whether PREVIOUS_GTIDS was read. Without them there are no transactions: the file is, or was, torn in its head.
  bool has_previous = false;
  /// A binary log: what was executed before it. A relay log: what its channel had received before it.
  GtidSet previous;
  GtidSet transactions;  ///< The complete ones: all segments' together.
  std::uint64_t transactions_without_gtid = 0;
  std::uint64_t parts = 0;         ///< Transactions that a receiver began, lost, and dropped.
  std::uint64_t end_position = 0;  ///< The last offset at which no transaction was open.
  /// What was left out at the end, and why; empty for nothing.
  std::string torn_tail_reason;
};

}  // namespace baton::binlog
