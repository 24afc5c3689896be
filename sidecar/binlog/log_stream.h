#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/log_index.h"
#include "sidecar/binlog/transaction_stream.h"

namespace baton::binlog {

/// The complete transactions of a member's logs that a reader lacks, each once: from the binary logs, oldest first,
/// then from the relay logs what no binary log has. Stretches in which everything is wanted go out as they lie in the
/// file; where something is not wanted, only headers are looked at. Not synchronised.
///
/// A file that has a problem is served up to it. What that may hide of a binary log, and the reader lacks, is sent next
/// if the relay logs have all of it. Else the stream ends there with that problem: later transactions must not overtake
/// what is hidden.
class LogStream final : public TransactionStream {
 public:
  /// Gives what is known now; never null. Asked when everything of the last answer was served.
  using Latest = std::function<std::shared_ptr<const LogSnapshot>()>;
  static constexpr std::size_t kChunkLength = 1024 * 1024;

  /// `reader`: what the reader has. Nothing is read before the first next().
  LogStream(Latest latest, GtidSet reader) : latest_(std::move(latest)), reader_(std::move(reader)) {}
  /// Serves what this snapshot has of `wanted`, nothing else, and nothing later. A problem ends it only if it may hide
  /// something of `wanted`.
  LogStream(std::shared_ptr<const LogSnapshot> snapshot, const GtidSet& wanted);

  /// As TransactionStream::next; where not everything is wanted, it also walks over the headers of one segment (8 MiB).
  /// After CaughtUp it may be called again: what a newer snapshot has is served then. Errors also: kRetry while the
  /// files that the reader needs are not indexed yet; kUnsafe when a transaction without GTID stands where the reader
  /// needs to read on.
  [[nodiscard]] Result<Item> next() override;

 private:
  struct Run {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  /// As the public one, but looks at LogSnapshot::logs from `first_logs` on only.
  LogStream(std::shared_ptr<const LogSnapshot> snapshot, const GtidSet& wanted, std::size_t first_logs);

  [[nodiscard]] Result<bool> plan();
  [[nodiscard]] Result<bool> start_logs();
  [[nodiscard]] std::size_t oldest_lacking(std::size_t place) const;
  [[nodiscard]] Result<void> plan_segment();
  [[nodiscard]] Result<void> plan_by_transactions(const Segment& segment);
  [[nodiscard]] Result<void> pass_problem();
  [[nodiscard]] GtidSet relay_transactions() const;
  [[nodiscard]] Result<void> open();
  [[nodiscard]] LogBegin begin_of(const Segment& segment);
  [[nodiscard]] Result<Chunk> read_chunk();
  [[nodiscard]] Result<std::size_t> whole_headers(std::span<const std::byte> bytes, std::uint64_t offset, bool is_last);
  [[nodiscard]] const LogFile& file() const { return *snapshot_->logs[logs_].files[file_]; }

  Latest latest_;
  GtidSet reader_;               ///< What the reader has, does not want, or was sent.
  bool has_all_wanted_ = false;  ///< All that is wanted is in some log of the snapshot: no problem hides any of it.
  std::shared_ptr<const LogSnapshot> snapshot_;
  bool is_done_ = false;  ///< Everything of the snapshot was served.

  std::size_t first_logs_ = 0;
  std::unique_ptr<LogStream> detour_;  ///< Through the relay logs, around what a damaged binary log hides.

  std::size_t logs_ = 0;     ///< Place in LogSnapshot::logs.
  std::size_t file_ = 0;     ///< Place in IndexedLogs::files.
  std::size_t segment_ = 0;  ///< Of the file: the next to be planned.
  bool logs_begun_ = false;

  std::deque<Run> runs_;              ///< Of segment_ - 1, to be sent.
  std::optional<FileSource> source_;  ///< Of the file that source_of_ names.
  FileIdentity source_of_;
  /// What the reader was told last: which file, which of its descriptions.
  std::optional<std::pair<FileIdentity, std::uint64_t>> announced_;
  std::unique_ptr<std::byte[]> buffer_;
  std::uint64_t event_left_ = 0;  ///< Bytes of the event that the last chunk cut.
};

}  // namespace baton::binlog
