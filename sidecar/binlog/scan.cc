#include "sidecar/binlog/scan.h"

#include <algorithm>
#include <array>
#include <optional>

#include "sidecar/binlog/event_reader.h"
#include "sidecar/binlog/transaction_tracker.h"
#include "sidecar/bytes/byte_reader.h"

namespace baton::binlog {
namespace {

std::unexpected<Error> at_offset(std::string_view name, std::uint64_t offset, const Error& error) {
  return fail(error.kind, "{} at offset {}: {}", name, offset, error.what);
}

/// Whether mysqld had not closed the file. Read before the file's size, so that a file that is closed in between is not
/// taken for a closed one that ends too early.
Result<bool> read_in_use(ByteSource& source) {
  std::array<std::byte, kMagic.size() + EventHeader::kLength> head{};
  TRY(count, source.read(0, head));
  if (count < head.size()) return true;  // mysqld closes no file that has not even one event.
  return (read_header(std::span(head).subspan(kMagic.size())).flags & kFlagInUse) != 0;
}

/// Whether the file begins as a log does; false when it is too short to tell.
Result<bool> check_magic(ByteSource& source, std::string_view name) {
  std::array<std::byte, kMagic.size()> magic{};
  TRY(count, source.read(0, magic));
  const std::string_view text = ByteReader::as_text(std::span(magic).first(count));
  if (text == kEncryptedMagic) {
    return fail(ErrorKind::kUnsafe,
                "{} is encrypted and cannot be read without mysqld: set binlog_encryption=OFF, then FLUSH BINARY LOGS, "
                "and wait until no encrypted file is needed any more",
                name);
  }
  if (text == kMagic) return true;
  if (count < kMagic.size() && kMagic.starts_with(text)) return false;
  if (count < kMagic.size() && std::ranges::all_of(text, [](char c) { return c == '\0'; })) return false;
  return fail(ErrorKind::kCorrupt, "{} at offset 0: this is no binary log", name);
}

/// Walks one file and collects what it proves.
class FileWalk {
 public:
  FileWalk(ByteSource& source, std::string_view name, bool is_newest, bool in_use, std::uint64_t size,
           const std::stop_token& stop)
      : reader_(source, kMagic.size(), size, stop), name_(name), is_newest_(is_newest), in_use_(in_use) {}

  Result<FileScan> run() {
    while (true) {
      auto next = reader_.next();
      if (!next) return at_offset(name_, reader_.position(), next.error());
      if (const auto* event = std::get_if<Event>(&*next)) {
        if (auto taken = take(*event); !taken) return at_offset(name_, event->offset, taken.error());
        continue;
      }
      if (const auto* damage = std::get_if<Damage>(&*next)) return ended_by(*damage);
      return ended();
    }
  }

 private:
  Result<void> take(const Event& event) {
    TRY_VOID(check_order(event));
    QueryEvent query;
    if (event.header.type == EventType::kQuery) {
      TRY(read, read_query(event.body));
      query = read;
    }
    TRY(effect, tracker_.feed(event.header, query.text));
    switch (effect) {
      case TransactionTracker::Effect::kBegan: TRY_VOID(begin(event)); break;
      case TransactionTracker::Effect::kComplete: complete(); break;
      case TransactionTracker::Effect::kNone: break;
    }
    if (event.header.type == EventType::kPreviousGtids) {
      TRY(previous, read_previous_gtids(event.body));
      scan_.previous = std::move(previous);
      scan_.has_previous = true;
    }
    has_description_ = true;
    if (!tracker_.is_open()) scan_.end_position = event.end;
    return {};
  }

  /// FORMAT_DESCRIPTION first and only there, PREVIOUS_GTIDS once and before the first transaction.
  Result<void> check_order(const Event& event) const {
    const bool is_description = event.header.type == EventType::kFormatDescription;
    if (is_description == has_description_) {
      return fail(ErrorKind::kCorrupt, "FORMAT_DESCRIPTION {}", has_description_ ? "comes again" : "is missing");
    }
    const bool is_previous = event.header.type == EventType::kPreviousGtids;
    if (is_previous && scan_.has_previous) return fail(ErrorKind::kCorrupt, "PREVIOUS_GTIDS comes again");
    const bool begins = event.header.type == EventType::kGtid || event.header.type == EventType::kGtidTagged ||
                        event.header.type == EventType::kAnonymousGtid;
    if (begins && !scan_.has_previous) return fail(ErrorKind::kCorrupt, "PREVIOUS_GTIDS is missing");
    return {};
  }

  Result<void> begin(const Event& event) {
    open_since_ = event.offset;
    open_.reset();
    if (event.header.type == EventType::kAnonymousGtid) return {};
    TRY(gtid, event.header.type == EventType::kGtid ? read_gtid(event.body) : read_gtid_tagged(event.body));
    open_ = std::move(gtid);
    return {};
  }

  void complete() {
    if (open_) {
      scan_.transactions.add(open_->source, open_->number);
    } else {
      ++scan_.transactions_without_gtid;
    }
  }

  Result<FileScan> ended() {
    if (tracker_.is_open()) return torn(open_since_, "the file ends within a transaction");
    if (scan_.has_previous) return std::move(scan_);
    // mysqld's recovery cuts a file that is torn within its head behind FORMAT_DESCRIPTION, closes it and goes on with
    // the next. Such a file holds no transaction.
    if (has_description_ && !in_use_) return std::move(scan_);
    return torn(reader_.position(), "the file ends within its head");
  }

  Result<FileScan> ended_by(const Damage& damage) {
    auto behind = reader_.find_event_behind(damage.offset);
    if (!behind) return at_offset(name_, damage.offset, behind.error());
    if (*behind) {
      return fail(ErrorKind::kCorrupt, "{} at offset {}: {}, and at offset {} there is an event again", name_,
                  damage.offset, damage.reason, **behind);
    }
    return torn(damage.offset, damage.reason);
  }

  Result<FileScan> torn(std::uint64_t offset, std::string_view reason) {
    // No file is closed before its head is written: without a good FORMAT_DESCRIPTION the flag in it means nothing.
    const bool is_closed = has_description_ && !in_use_;
    if (!is_newest_ || is_closed) return fail(ErrorKind::kCorrupt, "{} at offset {}: {}", name_, offset, reason);
    scan_.torn_tail_reason = std::format("{} at offset {}: {}", name_, offset, reason);
    return std::move(scan_);
  }

  EventReader reader_;
  std::string_view name_;
  bool is_newest_ = false;
  bool in_use_ = false;
  TransactionTracker tracker_;
  bool has_description_ = false;
  std::optional<GtidEvent> open_;  ///< The GTID of the transaction that is open; empty for one without.
  std::uint64_t open_since_ = 0;
  FileScan scan_;
};

/// The files of one index, as they were listed when the scan began.
struct Listing {
  std::filesystem::path index_file;
  const ScanOptions& options;
  std::vector<std::filesystem::path> files;
};

/// A file of the list is missing: purged by a living mysqld since the index was read, or lost.
std::unexpected<Error> missing_file(const Listing& listing, std::size_t place, const Error& error) {
  const auto now = read_index(listing.index_file, listing.options.data_directory);
  if (now && std::ranges::find(*now, listing.files[place]) == now->end()) {
    return fail(ErrorKind::kRetry, "purged during the scan: {}", error.what);
  }
  return fail(ErrorKind::kCorrupt, "listed in the index: {}", error.what);
}

Result<FileScan> scan_file(const Listing& listing, std::size_t place) {
  const std::filesystem::path& path = listing.files[place];
  const bool is_newest = place + 1 == listing.files.size();
  auto source = FileSource::open(path);
  if (!source && source.error().kind == ErrorKind::kNotFound) return missing_file(listing, place, source.error());
  if (!source) return std::unexpected(source.error());
  return scan_log(*source, path.filename().string(), is_newest, listing.options.stop);
}

Result<Listing> list_files(const std::filesystem::path& index_file, const ScanOptions& options) {
  TRY(files, read_index(index_file, options.data_directory));
  return Listing{index_file, options, std::move(files)};
}

/// Unites what single files prove, whatever the order in which they come.
class Assembly {
 public:
  explicit Assembly(const Listing& listing) : listing_(listing) {}

  /// Whether some file told what came before it.
  [[nodiscard]] bool has_previous() const { return has_previous_; }

  void add(std::size_t place, const FileScan& file) {
    if (!has_previous_) scan_.previous = file.previous;
    has_previous_ = has_previous_ || file.has_previous;
    scan_.complete = scan_.complete.united(file.previous).united(file.transactions);
    scan_.transactions_without_gtid += file.transactions_without_gtid;
    if (place + 1 < listing_.files.size()) return;
    scan_.last_file = listing_.files[place].filename().string();
    scan_.last_end_position = file.end_position;
    scan_.torn_tail_reason = file.torn_tail_reason;
  }

  Result<BinlogScan> finish() {
    if (has_previous_) return std::move(scan_);
    return fail(ErrorKind::kCorrupt, "{}: no file tells what came before it; {}", listing_.index_file.string(),
                scan_.torn_tail_reason);
  }

 private:
  const Listing& listing_;
  BinlogScan scan_;
  bool has_previous_ = false;
};

Result<std::string> read_text(const std::filesystem::path& path) {
  TRY(source, FileSource::open(path));
  TRY(size, source.size());
  std::string text(static_cast<std::size_t>(size), '\0');
  TRY(count, source.read(0, std::as_writable_bytes(std::span(text))));
  text.resize(count);
  return text;
}

}  // namespace

Result<BinlogScan> scan_binlogs(const std::filesystem::path& index_file, const ScanOptions& options) {
  TRY(listing, list_files(index_file, options));
  Assembly assembly(listing);
  for (std::size_t place = 0; place < listing.files.size(); ++place) {
    TRY(file, scan_file(listing, place));
    assembly.add(place, file);
  }
  return assembly.finish();
}

Result<BinlogScan> scan_newest(const std::filesystem::path& index_file, const ScanOptions& options) {
  TRY(listing, list_files(index_file, options));
  Assembly assembly(listing);
  for (std::size_t place = listing.files.size(); place > 0 && !assembly.has_previous(); --place) {
    TRY(file, scan_file(listing, place - 1));
    assembly.add(place - 1, file);
  }
  return assembly.finish();
}

Result<std::vector<std::filesystem::path>> read_index(const std::filesystem::path& index_file,
                                                      const std::filesystem::path& data_directory) {
  const std::filesystem::path base = data_directory.empty() ? index_file.parent_path() : data_directory;
  TRY(text, read_text(index_file));
  std::vector<std::filesystem::path> files;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string::npos) return fail(ErrorKind::kCorrupt, "{}: the last line is cut", index_file.string());
    const std::string_view line = std::string_view(text).substr(start, end - start);
    if (line.empty()) return fail(ErrorKind::kCorrupt, "{}: an empty line", index_file.string());
    files.push_back((base / line).lexically_normal());  // An absolute name replaces the base.
    start = end + 1;
  }
  if (files.empty()) return fail(ErrorKind::kCorrupt, "{}: no file is listed", index_file.string());
  return files;
}

Result<FileScan> scan_log(ByteSource& source, std::string_view name, bool is_newest, const std::stop_token& stop) {
  TRY(in_use, read_in_use(source));
  TRY(size, source.size());
  TRY(has_magic, check_magic(source, name));
  if (has_magic) return FileWalk(source, name, is_newest, in_use, size, stop).run();
  if (!is_newest) return fail(ErrorKind::kCorrupt, "{} at offset 0: the file has no head", name);
  FileScan scan;
  scan.torn_tail_reason = std::format("{} at offset 0: the file ends within its head", name);
  return scan;
}

}  // namespace baton::binlog
