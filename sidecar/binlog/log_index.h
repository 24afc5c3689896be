#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/byte_source.h"
#include "sidecar/binlog/log_contents.h"
#include "sidecar/binlog/log_walk.h"

namespace baton::binlog {

/// What is compared to tell whether a file is still the one that was read.
struct FileFacts {
  FileIdentity identity;
  std::uint64_t size = 0;
  std::int64_t changed_ns = 0;  ///< When its bytes changed last.

  friend bool operator==(const FileFacts&, const FileFacts&) = default;
};

/// Errors: kNotFound, kRetry.
[[nodiscard]] Result<FileFacts> facts_of(const std::filesystem::path& path);

/// One log file and what it holds. Never changes once it is in a snapshot.
struct LogFile {
  LogKind kind = LogKind::kBinlog;
  std::filesystem::path path;
  std::filesystem::path kept_path;  ///< Where it may be found when its path is gone; empty: nowhere.
  std::string name;                 ///< Without folder.
  FileIdentity identity;
  LogContents contents;
  /// Why what is behind contents.end_position cannot be had: corrupt, encrypted, of an unknown form.
  std::optional<Error> problem;
};

/// The files of one index.
struct IndexedLogs {
  LogKind kind = LogKind::kBinlog;
  std::vector<std::shared_ptr<const LogFile>> files;  ///< Oldest first, without a gap between them.
  bool has_oldest = true;                             ///< false: older files are listed but not read yet.
};

/// What the logs of a member held at one moment. Never changes; may be shared by threads.
struct LogSnapshot {
  std::vector<IndexedLogs> logs;  ///< Binary logs before relay logs.
  bool is_complete = false;       ///< Every listed file was read, as far as it may be.
  /// What the binary logs prove to have been executed: as BinlogScan::complete.
  GtidSet executed;
  /// What the relay logs prove to have been received: PREVIOUS_GTIDS and complete transactions.
  GtidSet received;
  /// The complete transactions that lie in some file and can be served.
  GtidSet available;
  /// Complete transactions of a living server's newest binary log that it has not executed yet, and that lie nowhere
  /// else. They may not be on its disk: neither executed nor available.
  GtidSet unsettled;
  std::vector<Error> problems;  ///< Of files, see LogFile::problem.

  /// What a reader that has `reader` lacks and cannot get here; not empty means error 1236. `outside` is what was
  /// executed but is in no log (@@gtid_purged, a clone's past). Only to be asked of a snapshot that is_complete: before
  /// that, what is not indexed yet would seem to be missing.
  [[nodiscard]] GtidSet unavailable(const GtidSet& reader, const GtidSet& outside) const {
    return executed.united(outside).minus(reader).minus(available);
  }
};

/// An index file to be followed.
struct LogListing {
  LogKind kind = LogKind::kBinlog;
  std::filesystem::path index_file;
  /// What relative names in it are relative to: mysqld's datadir. Empty: the folder of the index.
  std::filesystem::path data_directory;
  /// Where files get a second name (kept_logs.h). Those that are not listed any more are followed there. Empty:
  /// nowhere.
  std::filesystem::path kept_folder{};

  /// The second name of a file at `path`, if it has one.
  [[nodiscard]] std::filesystem::path kept_path(const std::filesystem::path& path) const {
    return kept_folder.empty() ? kept_folder : kept_folder / path.filename();
  }
};

/// A place in a binary log, as mysqld publishes it (SHOW BINARY LOG STATUS).
struct LogPosition {
  std::string file;  ///< Without folder.
  std::uint64_t position = 0;
};

/// Knows which complete transactions are where in a member's logs, and learns of more by reading only what was added.
///
/// Files are read newest first, so that what a failover needs is ready at once. Closed binary logs are walked by their
/// headers; one that breaks the rules is walked again with checksums before it is called corrupt. The newest binary log
/// of a dead server is read with checksums from where its server had published it, and judged as scan_binlogs does.
/// Relay logs are always read with checksums; what was read while mysqld lived is not read again when it is dead.
/// While mysqld lives, nothing is known of what it has not published, and nothing told of what it has not executed: it
/// may not be on its disk yet.
///
/// About 350 bytes of memory for each 8 MiB of logs. Driven by calls: no thread, no clock. Not synchronised.
class LogIndex {
 public:
  explicit LogIndex(std::vector<LogListing> listings);
  LogIndex(LogIndex&&) noexcept;
  LogIndex& operator=(LogIndex&&) noexcept;
  ~LogIndex();

  struct Step {
    bool is_alive = false;  ///< Whether a mysqld may write the logs.
    /// While mysqld lives: how far its binary logs may be read. Empty, or of a file that is not listed: not at all in
    /// the newest; what was known of that one stays known.
    std::optional<LogPosition> published{};
    /// While mysqld lives: what it had executed when it published that, which it has only written so far. Null: not
    /// told, as before.
    std::shared_ptr<const GtidSet> executed{};
    bool verify_all = false;                                         ///< Read every file with checksums.
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();  ///< Return after about so many bytes of walk.
    std::stop_token stop{};
  };
  /// Looks at the listings, reads on. Gives whether all was read that may be. A file that cannot be read for what is in
  /// it becomes a problem of the snapshot, not an error. Errors: kNotFound when there is no index of binary logs (one
  /// of relay logs may be missing), kRetry when the disk refuses or a file was purged meanwhile, kCorrupt when a dead
  /// server's index is not whole, kCancelled. What was learnt before an error is kept.
  [[nodiscard]] Result<bool> advance(const Step& step);

  /// What is known now. Never null.
  [[nodiscard]] std::shared_ptr<const LogSnapshot> snapshot() const { return snapshot_; }

 private:
  struct Entry;
  struct Followed;

  void take_executed(const Step& step);
  [[nodiscard]] Result<void> read_all(const Step& step);
  [[nodiscard]] Result<void> refresh(Followed& logs, const Step& step);
  [[nodiscard]] Result<void> read_entry(Followed& logs, std::size_t place, const Step& step);
  [[nodiscard]] Result<void> walk_on(Entry& entry, const LogListing& listing, LogWalk::Step plan,
                                     const FileFacts& facts);
  [[nodiscard]] Result<void> take_missing(Followed& logs, Entry& entry, const Error& error);
  void publish();

  std::vector<Followed> followed_;
  std::shared_ptr<const GtidSet> executed_;  ///< Of the last step that told it; null: mysqld is dead, or never told.
  std::shared_ptr<const LogSnapshot> snapshot_ = std::make_shared<const LogSnapshot>();
  std::uint64_t budget_ = 0;
  bool all_read_ = false;
  bool changed_ = false;
  bool is_held_back_ = false;  ///< Something of the newest binary log is not told yet.
};

}  // namespace baton::binlog
