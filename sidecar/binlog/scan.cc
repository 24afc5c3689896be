#include "sidecar/binlog/scan.h"

#include <algorithm>

#include "sidecar/binlog/log_walk.h"

namespace baton::binlog {
namespace {

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

Result<FileScan> scan_log(ByteSource& source, std::string_view name, bool is_newest, const std::stop_token& stop) {
  TRY(in_use, read_in_use(source));
  TRY(size, source.size());
  LogWalk walk(source, std::string(name), LogKind::kBinlog);
  TRY_VOID(walk.read_on({.verify = Verify::kChecksums,
                         .tail = is_newest ? Tail::kNewest : Tail::kOlder,
                         .in_use = in_use,
                         .end = size,
                         .stop = stop}));
  const LogContents& contents = walk.contents();
  return FileScan{.has_previous = contents.has_previous,
                  .previous = contents.previous,
                  .transactions = contents.transactions,
                  .transactions_without_gtid = contents.transactions_without_gtid,
                  .end_position = contents.end_position,
                  .torn_tail_reason = contents.torn_tail_reason};
}

}  // namespace baton::binlog
