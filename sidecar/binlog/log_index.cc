#include "sidecar/binlog/log_index.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ranges>
#include <utility>

#include "sidecar/binlog/index_file.h"
#include "sidecar/binlog/kept_logs.h"

namespace baton::binlog {

Result<FileFacts> facts_of(const std::filesystem::path& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) {
    const ErrorKind kind = errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kRetry;
    return fail(kind, "stat {}: {}", path.string(), std::strerror(errno));
  }
  return FileFacts{{static_cast<std::uint64_t>(facts.st_dev), static_cast<std::uint64_t>(facts.st_ino)},
                   static_cast<std::uint64_t>(facts.st_size),
                   facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

namespace {

/// Whether a file is at fault, as against the attempt to read it.
bool is_of_file(const Error& error) { return error.kind == ErrorKind::kCorrupt || error.kind == ErrorKind::kUnsafe; }

/// Where the files of a listing are: those that are only kept, then what is listed.
Result<std::vector<std::filesystem::path>> places_of(std::vector<std::filesystem::path> listed,
                                                     std::vector<KeptLog> kept) {
  for (auto& path : listed) {
    const auto facts = facts_of(path);
    if (!facts && facts.error().kind != ErrorKind::kNotFound) return std::unexpected(facts.error());
    const auto same = std::ranges::find_if(kept, [&](const KeptLog& log) {
      return facts ? log.facts.identity == facts->identity : log.path.filename() == path.filename();
    });
    if (same == kept.end()) continue;
    if (!facts) path = same->path;
    kept.erase(same);
  }
  std::vector<std::filesystem::path> places;
  for (const KeptLog& log : kept) places.push_back(log.path);
  places.insert(places.end(), listed.begin(), listed.end());
  return places;
}

}  // namespace

/// One listed file, and the walk through it while there may be more. A file that is walked is held open, so that no
/// other can take its inode.
struct LogIndex::Entry {
  std::filesystem::path path;
  FileFacts facts;  ///< When the walk began; of a finished file, when it ended.
  std::unique_ptr<FileSource> source;
  std::unique_ptr<LogWalk> walk;
  std::optional<LogWalk::Step> last_step;  ///< That was carried out to its end.
  std::optional<Error> problem;
  bool is_done = false;                 ///< Nothing more will come.
  bool is_barred = false;               ///< Must not be read yet.
  bool is_suspect = false;              ///< The walk by headers failed: read with checksums.
  bool is_sought = false;               ///< It was missing: all places were to be found anew.
  bool is_changed = false;              ///< `file` is older than the walk.
  std::shared_ptr<const LogFile> file;  ///< For snapshots. Null until there is something.

  void forget_walk() {
    walk.reset();
    source.reset();
    last_step.reset();
    is_changed = false;
  }
  void forget() {
    forget_walk();
    problem.reset();
    file.reset();
    is_done = is_suspect = false;
  }
  /// The file has another name now.
  void move_to(const std::filesystem::path& place) {
    path = place;
    if (file == nullptr) return;
    LogFile moved = *file;
    moved.path = path;
    moved.name = path.filename().string();
    file = std::make_shared<const LogFile>(std::move(moved));
  }
  /// Brings what the walk knows where snapshots find it.
  void settle(const LogListing& listing) {
    if (!is_changed || walk == nullptr) return;
    is_changed = false;
    // A walk that began anew knows less at first.
    if (!problem && file != nullptr && walk->contents().end_position < file->contents.end_position) return;
    file =
        std::make_shared<const LogFile>(LogFile{listing.kind, path, listing.kept_path(path), path.filename().string(),
                                                facts.identity, walk->contents(), problem});
  }
  void finish(const LogListing& listing, const FileFacts& at_end) {
    settle(listing);
    forget_walk();
    facts = at_end;
    is_done = true;
  }
};

struct LogIndex::Followed {
  LogListing listing;
  std::vector<std::filesystem::path> listed;
  std::vector<std::filesystem::path> kept;
  std::vector<std::unique_ptr<Entry>> entries;  ///< Those that are only kept, then as listed, oldest first.
  bool is_same = false;                         ///< The listing is the one of the step before.
  bool is_stale = false;                        ///< A file is not where it was, whatever the listing says.

  /// Makes the entries be at these places; what is known of a file goes with it to another name.
  void replace_entries(const std::vector<std::filesystem::path>& places, const std::vector<KeptLog>& kept_now) {
    std::vector<std::unique_ptr<Entry>> replaced;
    for (const auto& path : places) {
      const auto log = std::ranges::find(kept_now, path, &KeptLog::path);
      const auto known = std::ranges::find_if(entries, [&](const auto& entry) {
        if (entry == nullptr) return false;
        return entry->path == path || (log != kept_now.end() && entry->facts.identity == log->facts.identity);
      });
      replaced.push_back(known != entries.end() ? std::move(*known) : std::make_unique<Entry>());
      replaced.back()->move_to(path);
    }
    entries = std::move(replaced);
  }
  /// How a file of `size` bytes is to be read now; nothing when it must not be.
  [[nodiscard]] std::optional<LogWalk::Step> plan(std::size_t place, const Step& step, std::uint64_t size) const {
    const bool is_newest = place + 1 == entries.size();
    // Relay logs are not synced: a loss of power may leave holes in any of them, under headers that are whole. So all
    // of theirs is verified, and that while mysqld lives: on the first walk after the start of this process (before
    // which the power may have been lost), and as it grows. When mysqld dies, only what it received last is left to be
    // read.
    const bool verifies = step.verify_all || entries[place]->is_suspect || listing.kind == LogKind::kRelay ||
                          (!step.is_alive && is_newest);
    LogWalk::Step plan{.verify = verifies ? Verify::kChecksums : Verify::kHeaders,
                       .tail = !is_newest      ? Tail::kOlder
                               : step.is_alive ? Tail::kGrowing
                                               : Tail::kNewest,
                       .end = size,
                       .stop = step.stop};
    if (!step.is_alive || listing.kind == LogKind::kRelay) return plan;
    const auto found = std::ranges::find_if(
        entries, [&](const auto& entry) { return step.published && entry->path.filename() == step.published->file; });
    // Nothing published, or of a file that is not listed (any more): older files are closed all the same.
    if (found == entries.end()) return is_newest ? std::nullopt : std::optional(plan);
    const auto published = static_cast<std::size_t>(found - entries.begin());
    if (place > published) return std::nullopt;
    if (place == published) {
      plan.tail = Tail::kGrowing;
      plan.end = std::min(size, step.published->position);
    }
    return plan;
  }

  /// The files that follow each other without a gap, up to the newest that may be read.
  [[nodiscard]] IndexedLogs indexed() const {
    IndexedLogs logs{.kind = listing.kind, .files = {}, .has_oldest = true};
    bool is_tip = true;
    for (const auto& entry : entries | std::views::reverse) {
      if (entry->is_barred && is_tip && entry->file == nullptr) continue;
      if (!is_tip && !entry->is_done) logs.has_oldest = false;
      if (!logs.has_oldest) break;
      is_tip = false;
      if (entry->file != nullptr) logs.files.push_back(entry->file);
    }
    std::ranges::reverse(logs.files);
    return logs;
  }
};

LogIndex::LogIndex(std::vector<LogListing> listings) {
  std::ranges::stable_sort(listings, {}, &LogListing::kind);
  for (LogListing& listing : listings) {
    followed_.push_back({.listing = std::move(listing), .listed = {}, .kept = {}, .entries = {}});
  }
}

LogIndex::LogIndex(LogIndex&&) noexcept = default;
LogIndex& LogIndex::operator=(LogIndex&&) noexcept = default;
LogIndex::~LogIndex() = default;

Result<bool> LogIndex::advance(const Step& step) {
  budget_ = step.most;
  all_read_ = true;
  take_executed(step);
  auto done = read_all(step);
  if (!done) all_read_ = false;
  publish();
  if (!done) return std::unexpected(std::move(done).error());
  return all_read_;
}

void LogIndex::take_executed(const Step& step) {
  auto executed = step.executed == nullptr ? executed_ : step.executed;
  if (!step.is_alive) executed = nullptr;
  const bool are_both = executed != nullptr && executed_ != nullptr;
  if (are_both ? *executed == *executed_ : executed == executed_) return;
  // Where nothing was held back, more that is executed changes nothing.
  changed_ = changed_ || !are_both || is_held_back_;
  executed_ = std::move(executed);
}

Result<void> LogIndex::read_all(const Step& step) {
  for (Followed& logs : followed_) TRY_VOID(refresh(logs, step));
  // The last of each listing first, so that the newest is ready at once; then relay logs, which are few.
  for (Followed& logs : followed_) {
    if (!logs.entries.empty()) TRY_VOID(read_entry(logs, logs.entries.size() - 1, step));
  }
  for (Followed& logs : followed_ | std::views::reverse) {
    for (std::size_t place = logs.entries.size(); place > 1; --place) TRY_VOID(read_entry(logs, place - 2, step));
  }
  return {};
}

/// Makes the entries be what is listed now.
Result<void> LogIndex::refresh(Followed& logs, const Step& step) {
  auto paths = read_index(logs.listing.index_file, logs.listing.data_directory);
  if (!paths && paths.error().kind == ErrorKind::kNotFound && logs.listing.kind == LogKind::kRelay) {
    paths = std::vector<std::filesystem::path>{};
  }
  if (!paths) {
    // A living server may be about to put a new index in the old one's place.
    const bool may_mend = step.is_alive && paths.error().kind == ErrorKind::kCorrupt;
    return fail(may_mend ? ErrorKind::kRetry : paths.error().kind, "{}", paths.error().what);
  }
  TRY(kept, kept_logs(logs.listing.kept_folder));
  const auto kept_paths = kept | std::views::transform(&KeptLog::path) | std::ranges::to<std::vector>();
  logs.is_same = !logs.is_stale && *paths == logs.listed && kept_paths == logs.kept;
  if (logs.is_same) return {};
  TRY(places, places_of(*paths, kept));
  logs.replace_entries(places, kept);
  logs.listed = *std::move(paths);
  logs.kept = kept_paths;
  logs.is_stale = false;
  changed_ = true;
  return {};
}

Result<void> LogIndex::read_entry(Followed& logs, std::size_t place, const Step& step) {
  Entry& entry = *logs.entries[place];
  // mysqld touches no older file, and RESET shows in the newest.
  if (entry.is_done && logs.is_same && !entry.problem) return {};
  auto facts = facts_of(entry.path);
  if (!facts && facts.error().kind == ErrorKind::kNotFound) return take_missing(logs, entry, facts.error());
  if (!facts) return std::unexpected(facts.error());
  entry.is_sought = false;
  if (entry.is_done && *facts == entry.facts) return {};
  const std::uint64_t known = entry.walk != nullptr ? entry.walk->contents().end_position : 0;
  if (entry.is_done || facts->identity != entry.facts.identity || facts->size < known) {
    entry.forget();
    entry.facts = *facts;
    changed_ = true;
  }
  auto plan = logs.plan(place, step, facts->size);
  entry.is_barred = !plan;
  if (!plan || (entry.last_step && *entry.last_step == *plan)) return {};
  if (budget_ == 0) {
    all_read_ = false;
    return {};
  }
  auto read = walk_on(entry, logs.listing, *plan, *facts);
  if (read || !is_of_file(read.error())) return read;
  if (plan->verify == Verify::kHeaders) {
    entry.forget_walk();
    entry.is_suspect = true;
    plan->verify = Verify::kChecksums;
    read = walk_on(entry, logs.listing, *plan, *facts);
    if (read || !is_of_file(read.error())) return read;
  }
  entry.problem = read.error();
  entry.finish(logs.listing, *facts);
  return {};
}

Result<void> LogIndex::walk_on(Entry& entry, const LogListing& listing, LogWalk::Step plan, const FileFacts& facts) {
  if (entry.walk == nullptr) {
    TRY(source, FileSource::open(entry.path));
    entry.source = std::make_unique<FileSource>(std::move(source));
    entry.walk = std::make_unique<LogWalk>(*entry.source, entry.path.filename().string(), listing.kind);
  } else if (plan.end < entry.walk->position()) {
    entry.walk->rewind();  // A server's recovery cut off what was torn.
  }
  TRY(in_use, read_in_use(*entry.source));
  plan.in_use = in_use;
  const std::uint64_t before = entry.walk->position();
  const LogWalk::Step asked = plan;
  plan.most = budget_;
  auto done = entry.walk->read_on(plan);
  const std::uint64_t after = entry.walk->position();
  budget_ -= std::min(budget_, after > before ? after - before : 1);
  changed_ = entry.is_changed = true;
  if (!done) {
    if (!is_of_file(done.error())) entry.forget_walk();
    return std::unexpected(std::move(done).error());
  }
  if (!*done) {
    all_read_ = false;
  } else if (plan.tail == Tail::kOlder) {
    entry.finish(listing, facts);
  } else {
    entry.last_step = asked;
    entry.last_step->in_use = true;
  }
  return {};
}

/// A file of the list is missing: purged since the index was read, or lost.
Result<void> LogIndex::take_missing(Followed& logs, Entry& entry, const Error& error) {
  const auto now = read_index(logs.listing.index_file, logs.listing.data_directory);
  if (!now || std::ranges::find(*now, entry.path) == now->end()) {
    return fail(ErrorKind::kRetry, "purged meanwhile: {}", error.what);
  }
  if (entry.problem) return {};
  if (!entry.is_sought && facts_of(logs.listing.kept_path(entry.path))) {
    entry.is_sought = logs.is_stale = true;
    return fail(ErrorKind::kRetry, "only its second name is left: {}", error.what);
  }
  entry.forget();
  entry.is_done = changed_ = true;
  entry.problem = Error{ErrorKind::kCorrupt, std::format("listed in the index: {}", error.what)};
  entry.file = std::make_shared<const LogFile>(
      LogFile{logs.listing.kind, entry.path, {}, entry.path.filename().string(), {}, {}, entry.problem});
  return {};
}

void LogIndex::publish() {
  if (!changed_ && all_read_ == snapshot_->is_complete) return;
  changed_ = is_held_back_ = false;
  LogSnapshot snapshot;
  snapshot.is_complete = all_read_;
  for (const Followed& logs : followed_) {
    for (const auto& entry : logs.entries) entry->settle(logs.listing);
    IndexedLogs indexed = logs.indexed();
    GtidSet& proven = logs.listing.kind == LogKind::kBinlog ? snapshot.executed : snapshot.received;
    for (const auto& file : indexed.files) {
      GtidSet transactions = file->contents.transactions;
      // mysqld closes a binary log when all that is in it was executed.
      if (executed_ != nullptr && file->kind == LogKind::kBinlog && file == indexed.files.back()) {
        snapshot.unsettled = transactions.minus(*executed_);
        transactions = transactions.minus(snapshot.unsettled);
        is_held_back_ = !snapshot.unsettled.empty();
      }
      proven = proven.united(file->contents.previous).united(transactions);
      snapshot.available = snapshot.available.united(transactions);
      if (file->problem) snapshot.problems.push_back(*file->problem);
    }
    snapshot.logs.push_back(std::move(indexed));
  }
  snapshot.unsettled = snapshot.unsettled.minus(snapshot.available);
  snapshot_ = std::make_shared<const LogSnapshot>(std::move(snapshot));
}

}  // namespace baton::binlog
