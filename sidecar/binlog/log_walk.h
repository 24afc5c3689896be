#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "sidecar/binlog/gtid_collector.h"
#include "sidecar/binlog/log_contents.h"
#include "sidecar/binlog/transaction_reader.h"

namespace baton::binlog {

/// How the end of a file is judged.
enum class Tail : std::uint8_t {
  kGrowing,  ///< Somebody writes it: what is behind the last complete transaction is not there yet.
  kNewest,   ///< The newest file of a server that is dead: it may be torn, unless mysqld closed it.
  kOlder,    ///< Another follows. A binary log must be whole.
};

/// Whether mysqld had not closed the file (IN_USE). Read before the file's size, so that a file that is closed in
/// between is not taken for a closed one that ends too early.
[[nodiscard]] Result<bool> read_in_use(ByteSource& source);

/// Whether a file is a relay log: a replica marks its own FORMAT_DESCRIPTION in it. Errors: as LogWalk::read_on for
/// what is no log at all; kRetry.
[[nodiscard]] Result<LogKind> guess_kind(ByteSource& source, std::string_view name);

/// Reads one log file, as far as it is there, and goes on when there is more. Not synchronised.
///
/// The rule for a file's end is that of scan_binlogs. In a relay log any file may be torn: a server that starts again
/// goes on in a fresh one and leaves the old as it was.
class LogWalk {
 public:
  /// `source` must outlive the walk; `name` is for errors.
  LogWalk(ByteSource& source, std::string name, LogKind kind)
      : source_(source),
        name_(std::move(name)),
        kind_(kind),
        reader_(EventReader(source, kMagic.size(), kMagic.size(), {}, {.kind = kind}), kind) {}

  struct Step {
    Verify verify = Verify::kChecksums;
    Tail tail = Tail::kNewest;
    bool in_use = true;     ///< What read_in_use had said before `end` was asked for.
    std::uint64_t end = 0;  ///< Bytes of the file that may be read: its size, or less.
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();  ///< Returns after about so many bytes.
    std::stop_token stop{};

    friend bool operator==(const Step&, const Step&) = default;
  };
  /// Reads on. Gives whether all bytes up to `end` were looked at. Errors: kCorrupt (name, offset, reason), kUnsafe for
  /// encrypted files and unknown forms, kRetry when the disk refuses, kCancelled. After an error contents() holds what
  /// was good before, and the walk must not go on.
  [[nodiscard]] Result<bool> read_on(const Step& step);

  /// Forgets what is behind the last offset at which no transaction was open: the file was cut there, or is judged
  /// anew.
  void rewind();

  [[nodiscard]] const LogContents& contents() const { return contents_; }
  /// The offset up to which bytes were looked at.
  [[nodiscard]] std::uint64_t position() { return reader_.events().position(); }

 private:
  [[nodiscard]] Result<bool> check_magic(const Step& step);
  [[nodiscard]] Result<bool> open_part_is_there();
  [[nodiscard]] Result<bool> read_items(const Step& step);
  [[nodiscard]] Result<void> take(TransactionReader::Item item);
  void take_description();
  void take_transaction();
  [[nodiscard]] bool needs_new_segment(const Transaction& transaction) const;
  void settle();
  [[nodiscard]] Result<bool> ended(const Step& step);
  [[nodiscard]] Result<bool> ended_by(const Step& step, const Damage& damage);
  [[nodiscard]] Result<bool> torn(const Step& step, std::uint64_t offset, std::string_view reason);

  ByteSource& source_;
  std::string name_;
  LogKind kind_;
  TransactionReader reader_;
  LogContents contents_;
  GtidCollector collected_;  ///< Of the last segment, not in its set yet.
  bool has_magic_ = false;
  bool segment_is_open_ = false;
  Verify verify_ = Verify::kChecksums;  ///< Of the last step, and how it judged the end.
  Tail tail_ = Tail::kGrowing;
  /// The header of the last event that was read within an open transaction, to see whether it is still there.
  std::array<std::byte, EventHeader::kLength> last_header_{};
  std::uint64_t last_offset_ = 0;  ///< 0: no transaction was open.
};

}  // namespace baton::binlog
