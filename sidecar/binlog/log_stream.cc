#include "sidecar/binlog/log_stream.h"

#include <algorithm>
#include <ranges>

#include "engine/base/ensure.h"
#include "sidecar/binlog/load.h"
#include "sidecar/binlog/transaction_reader.h"

namespace baton::binlog {
namespace {

/// A chunk takes in another run while it has this much room: a system call costs about as much as copying so many
/// bytes.
constexpr std::size_t kRoomForMore = 16 * 1024;

/// mysqld may have purged it since; then it may still be kept.
Result<FileSource> open_log(const LogFile& file) {
  for (const auto& path : {file.path, file.kept_path}) {
    if (path.empty()) continue;
    auto opened = FileSource::open(path);
    if (!opened && opened.error().kind == ErrorKind::kNotFound) continue;
    if (!opened) return opened;
    TRY(identity, opened->identity());
    if (identity == file.identity) return opened;
  }
  return fail(ErrorKind::kRetry, "{} was purged meanwhile, or is another file than the one that was indexed",
              file.path.string());
}

}  // namespace

LogStream::LogStream(std::shared_ptr<const LogSnapshot> snapshot, const GtidSet& wanted)
    : LogStream(std::move(snapshot), wanted, 0) {}

LogStream::LogStream(std::shared_ptr<const LogSnapshot> snapshot, const GtidSet& wanted, std::size_t first_logs)
    : reader_(snapshot->executed.united(snapshot->received)
                  .united(snapshot->available)
                  .minus(wanted)
                  .united(snapshot->unsettled)),
      has_all_wanted_(snapshot->available.contains(wanted)),
      first_logs_(first_logs) {
  latest_ = [snapshot = std::move(snapshot)] { return snapshot; };
}

Result<TransactionStream::Item> LogStream::next() {
  if (detour_) {
    TRY(item, detour_->next());
    if (!std::holds_alternative<CaughtUp>(item)) return item;
    detour_.reset();
    announced_.reset();  // The reader was told of another log since.
  }
  if (runs_.empty()) {
    TRY(found, plan());
    if (detour_) return next();
    if (!found) return CaughtUp{};
    TRY_VOID(open());
  }
  const Segment& segment = file().contents.segments[segment_ - 1];
  const auto described = std::pair(file().identity, file().contents.descriptions[segment.description].offset);
  if (announced_ != described) {
    announced_ = described;
    return begin_of(segment);
  }
  TRY(chunk, read_chunk());
  return chunk;
}

/// Fills runs_ from the next segment that has something. false: everything was served.
Result<bool> LogStream::plan() {
  auto latest = snapshot_ == nullptr || is_done_ ? latest_() : snapshot_;
  if (latest != snapshot_) {
    snapshot_ = std::move(latest);
    ENSURE(snapshot_ != nullptr);
    is_done_ = logs_begun_ = false;
    logs_ = first_logs_;
    file_ = segment_ = 0;
  }
  while (!is_done_ && runs_.empty() && !detour_) {
    if (logs_ == snapshot_->logs.size()) {
      is_done_ = true;
    } else if (!logs_begun_) {
      TRY(has_files, start_logs());
      logs_begun_ = has_files;
      if (!has_files) ++logs_;
    } else if (segment_ < file().contents.segments.size()) {
      TRY_VOID(plan_segment());
    } else {
      TRY_VOID(pass_problem());
      segment_ = 0;
      if (++file_ < snapshot_->logs[logs_].files.size()) continue;
      logs_begun_ = false;
      ++logs_;
    }
  }
  return !is_done_;
}

/// Goes to the first file that may have something. false: there is no file.
Result<bool> LogStream::start_logs() {
  const IndexedLogs& logs = snapshot_->logs[logs_];
  segment_ = 0;
  file_ = 0;
  if (logs.kind == LogKind::kBinlog) {
    // The newest file that begins with no more than the reader has: nothing before it is wanted. As
    // MYSQL_BIN_LOG::find_first_log_not_in_gtid_set. The relay logs of one folder need not be of one history.
    for (file_ = logs.files.size(); file_ > 0; --file_) {
      const LogContents& contents = logs.files[file_ - 1]->contents;
      if (contents.has_previous && reader_.contains(contents.previous)) break;
    }
    const bool is_found = file_ > 0;
    if (is_found) file_ = oldest_lacking(file_ - 1);
    if (!is_found && !logs.has_oldest) return fail(ErrorKind::kRetry, "the older binary logs are not indexed yet");
  } else if (!logs.has_oldest) {
    return fail(ErrorKind::kRetry, "the older relay logs are not indexed yet");
  }
  return !logs.files.empty();
}

/// The oldest file before that place that has something for the reader, else the place itself. There is none where each
/// file begins with what the ones before it hold; but RESET BINARY LOGS AND GTIDS begins anew, and what was before may
/// be kept.
std::size_t LogStream::oldest_lacking(std::size_t place) const {
  const auto before = snapshot_->logs[logs_].files | std::views::take(place);
  const auto lacking =
      std::ranges::find_if(before, [this](const auto& file) { return !reader_.contains(file->contents.transactions); });
  return static_cast<std::size_t>(lacking - before.begin());
}

Result<void> LogStream::plan_segment() {
  const Segment& segment = file().contents.segments[segment_++];
  const bool is_binlog = file().kind == LogKind::kBinlog;
  if (reader_.contains(segment.transactions) && !(is_binlog && segment.has_anonymous)) return {};
  if (!segment.is_plain || !reader_.intersected(segment.transactions).empty()) return plan_by_transactions(segment);
  runs_.push_back({segment.begin, segment.end});
  reader_ = reader_.united(segment.transactions);
  return {};
}

Result<void> LogStream::plan_by_transactions(const Segment& segment) {
  TRY_VOID(open());
  const ChecksumAlgorithm checksum = file().contents.descriptions[segment.description].checksum;
  const EventReader::Options options{.kind = file().kind, .verify = Verify::kHeaders, .checksum = checksum};
  TransactionReader reader(EventReader(*source_, segment.begin, segment.end, {}, options), file().kind, true);
  GtidSet taken;  // United with the rest at the end: adding in the middle of many intervals is slow.
  RawGtid known;
  GtidSource source;  // Of `known`: made anew only when another comes.
  while (true) {
    auto item = reader.next(std::numeric_limits<std::uint64_t>::max());
    if (!item)
      return fail(item.error().kind, "{} at offset {}: {}", file().name, reader.error_offset(), item.error().what);
    if (**item == TransactionReader::Item::kEnd) break;
    if (**item == TransactionReader::Item::kDamage) {
      return fail(ErrorKind::kCorrupt, "{} at offset {}: {}", file().name, reader.damage().offset,
                  reader.damage().reason);
    }
    if (**item != TransactionReader::Item::kTransaction) continue;
    const Transaction& found = reader.transaction();
    if (!found.has_gtid) {
      return fail(ErrorKind::kUnsafe, "{} at offset {}: a transaction has no GTID, so that nobody can tell who has it",
                  file().name, found.begin);
    }
    if (source.uuid.empty() || !known.same_source(found.gtid)) source = found.gtid.source();
    known = found.gtid;
    if (reader_.contains(source, found.gtid.number)) continue;
    if (!segment.is_plain && taken.contains(source, found.gtid.number)) continue;
    taken.add(source, found.gtid.number);
    if (!runs_.empty() && runs_.back().end == found.begin) {
      runs_.back().end = found.end;
    } else {
      runs_.push_back({found.begin, found.end});
    }
  }
  reader_ = reader_.united(taken);
  return {};
}

/// Whether the reader may go on behind what cannot be read of the file; perhaps by a detour first.
Result<void> LogStream::pass_problem() {
  if (!file().problem) return {};
  const auto& files = snapshot_->logs[logs_].files;
  for (std::size_t next = file_ + 1; next < files.size(); ++next) {
    const LogContents& after = files[next]->contents;
    if (!after.has_previous) continue;
    // What the next file knows to be before it, but this one does not show.
    const GtidSet hidden = after.previous.minus(file().contents.previous).minus(file().contents.transactions);
    const GtidSet lacking = hidden.minus(reader_);
    if (lacking.empty()) return {};
    // At this place, and not behind the binary logs, where other relay logs come: later transactions build on these.
    if (file().kind != LogKind::kBinlog || !relay_transactions().contains(lacking)) {
      return std::unexpected(*file().problem);
    }
    detour_ = std::unique_ptr<LogStream>(new LogStream(snapshot_, lacking, logs_ + 1));
    reader_ = reader_.united(lacking);
    return {};
  }
  return has_all_wanted_ ? Result<void>() : std::unexpected(*file().problem);
}

/// What lies in the logs that come behind the binary logs.
GtidSet LogStream::relay_transactions() const {
  GtidSet all;
  for (const IndexedLogs& logs : snapshot_->logs | std::views::drop(logs_ + 1)) {
    for (const auto& relay : logs.files) all = all.united(relay->contents.transactions);
  }
  return all;
}

Result<void> LogStream::open() {
  if (source_ && source_of_ == file().identity) return {};
  TRY(opened, open_log(file()));
  source_of_ = file().identity;
  source_.emplace(std::move(opened));
  return {};
}

LogBegin LogStream::begin_of(const Segment& segment) {
  const LogContents& contents = file().contents;
  const Description& description = contents.descriptions[segment.description];
  // The first transaction behind the description tells whether the reader sees the log from there.
  const auto first = std::ranges::find(contents.segments, segment.description, &Segment::description);
  const bool from_start = runs_.front().begin == first->begin;
  return LogBegin{.name = file().name,
                  .format_description = served_description(description, !from_start),
                  .checksum = description.checksum};
}

Result<Chunk> LogStream::read_chunk() {
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<std::byte[]>(kChunkLength);
  const std::span<std::byte> buffer(buffer_.get(), kChunkLength);
  std::size_t filled = 0;
  while (!runs_.empty() && (filled == 0 || kChunkLength - filled >= kRoomForMore)) {
    Run& run = runs_.front();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(run.end - run.begin, buffer.size() - filled));
    const auto part = buffer.subspan(filled, wanted);
    TRY(count, source_->read(run.begin, part));
    if (count < wanted) return fail(ErrorKind::kRetry, "{} became shorter while it was read", file().path.string());
    TRY(kept, whole_headers(part, run.begin, wanted == run.end - run.begin));
    filled += kept;
    run.begin += kept;
    if (run.begin < run.end) break;
    runs_.pop_front();
  }
  return Chunk{buffer.first(filled)};
}

/// How many of the bytes there are before a header that they cut.
Result<std::size_t> LogStream::whole_headers(std::span<const std::byte> bytes, std::uint64_t offset, bool is_last) {
  std::uint64_t at = event_left_;
  while (at < bytes.size()) {
    const auto event = bytes.subspan(static_cast<std::size_t>(at));
    if (event.size() < EventHeader::kLength) {
      if (is_last) return fail(ErrorKind::kCorrupt, "{} at offset {}: an event is cut", file().name, offset + at);
      event_left_ = 0;
      return static_cast<std::size_t>(at);
    }
    const auto length = load<std::uint32_t>(event.data() + EventHeader::kLengthOffset);
    if (length < EventHeader::kLength) {
      return fail(ErrorKind::kCorrupt, "{} at offset {}: an event of {} bytes", file().name, offset + at, length);
    }
    at += length;
  }
  event_left_ = at - bytes.size();
  if (is_last && event_left_ > 0) {
    return fail(ErrorKind::kCorrupt, "{} at offset {}: an event goes on behind its transaction", file().name, offset);
  }
  return bytes.size();
}

}  // namespace baton::binlog
