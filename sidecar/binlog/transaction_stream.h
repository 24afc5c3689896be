#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/binlog/event.h"

namespace baton::binlog {

/// The stream goes on in another log, or in another stretch of the same one.
struct LogBegin {
  std::string name;  ///< Base name; what is told to the receiver. Without a folder.
  /// The FORMAT_DESCRIPTION event whose rules the bytes behind it follow, whole and raw: IN_USE cleared, `created` zero
  /// when the log's first transaction is not served, checksum right.
  std::vector<std::byte> format_description;
  ChecksumAlgorithm checksum = ChecksumAlgorithm::kCrc32;
};

/// Raw bytes of complete transactions, byte-identical to the log, in order. A chunk may end inside of an event, but
/// never inside of an event's header; the next chunk goes on there. Valid until the next call of next().
struct Chunk {
  std::span<const std::byte> bytes;
};

/// All that can be served now was served. A log that is still written may give more later.
struct CaughtUp {};

/// Complete transactions that a reader lacks, in an order in which they can be applied: what a session of the binlog
/// server sends. Not synchronised.
class TransactionStream {
 public:
  virtual ~TransactionStream() = default;

  using Item = std::variant<LogBegin, Chunk, CaughtUp>;

  /// The next piece. Never blocks for longer than a read of one chunk from disk. Errors: kCorrupt (file, offset,
  /// reason), kRetry when the disk refuses or a log was purged, kUnsafe for a form that must not be served.
  [[nodiscard]] virtual Result<Item> next() = 0;
};

}  // namespace baton::binlog
