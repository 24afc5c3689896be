#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/byte_source.h"
#include "sidecar/binlog/index_file.h"

namespace baton::binlog {

struct ScanOptions {
  /// What relative names in the index are relative to: mysqld's datadir. Empty: the folder of the index.
  std::filesystem::path data_directory;
  /// Ends a long scan with kCancelled.
  std::stop_token stop;
};

/// What a server's binary logs prove.
struct BinlogScan {
  /// PREVIOUS_GTIDS of the oldest file that was read.
  GtidSet previous;
  /// Every transaction that the logs show to be complete: PREVIOUS_GTIDS of each file read, and the complete
  /// transactions in them. Transactions without GTID are counted below and are not in here.
  GtidSet complete;
  std::uint64_t transactions_without_gtid = 0;
  /// The newest file's name as in the index, without folder.
  std::string last_file;
  /// The offset behind the last complete transaction of that file (or behind its head, or 0 when even that is torn).
  std::uint64_t last_end_position = 0;
  /// Empty when the newest file ends behind a complete transaction; else a sentence on what was left out, and where.
  std::string torn_tail_reason;
};

/// Reads which complete transactions are in the binary logs that an index file lists, while mysqld is dead or alive
/// (then as of some moment during the call). Changes nothing. Thread-safe.
///
/// The index is a text file with one name a line. Each log is
///
///   file  = magic FORMAT_DESCRIPTION PREVIOUS_GTIDS { event }
///   magic = FE "bin"                                         FD "bin": the file is encrypted
///   event = header(19) body checksum(4, absent when FORMAT_DESCRIPTION says so)
///
/// with transactions as TransactionTracker has them. A transaction never spans two files. mysqld sets the flag IN_USE
/// in FORMAT_DESCRIPTION while it writes a file, so that the newest file of a server that died has it, and only that
/// file may end badly. The rule for its end:
///
/// - It counts up to its last complete transaction; what is behind is a torn tail: an open transaction, a cut event, a
///   wrong checksum, zeros where the file system had promised space.
/// - A torn tail has no well-formed event behind its first bad byte. Damage with events behind it is no crash's trace
///   but a broken disk's, and those events may hold transactions that clients saw committed: kCorrupt. (After a loss of
///   power, blocks of the last, never acknowledged group of commits may have reached the disk in any order. That cannot
///   be told from damage and is refused too.)
/// - The same in a closed or older file is kCorrupt, and so is an event out of place anywhere.
///
/// mysqld's own recovery keeps the same transactions: it cuts the newest file behind its last complete transaction
/// (sql/binlog/log_sanitizer.cc) and commits what it finds in the rest.
///
/// gtid_executed may have more than `complete`: what only the table mysql.gtid_executed knows (a cloned data directory,
/// SET gtid_purged) is in no PREVIOUS_GTIDS. The caller unites the scan with what it knows of that.
///
/// Errors: kCorrupt (file, offset, reason), kUnsafe for encrypted files and for forms that only a newer server writes,
/// kNotFound without an index, kRetry when the disk refuses or mysqld purged a file during the scan, kCancelled after a
/// stop.
[[nodiscard]] Result<BinlogScan> scan_binlogs(const std::filesystem::path& index_file, const ScanOptions& options = {});

/// What one log file proves.
struct FileScan {
  /// Whether PREVIOUS_GTIDS was read. Without them there are no transactions: the file is, or was, torn in its head.
  bool has_previous = false;
  GtidSet previous;
  GtidSet transactions;
  std::uint64_t transactions_without_gtid = 0;
  std::uint64_t end_position = 0;
  std::string torn_tail_reason;
};

/// Reads one log. `is_newest`: whether its end may be torn. `name` is for errors. Errors: as scan_binlogs.
[[nodiscard]] Result<FileScan> scan_log(ByteSource& source, std::string_view name, bool is_newest,
                                        const std::stop_token& stop = {});

}  // namespace baton::binlog
