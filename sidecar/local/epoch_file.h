#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/wire/member_state.h"

namespace baton::sidecar {

/// What a member must not forget, whatever restarts: kept in <volume>/baton/epoch.json beside the data directory.
struct EpochRecord {
  std::int64_t epoch = 0;     ///< Highest seen in an order.
  std::int64_t revision = 0;  ///< Highest seen within that epoch.
  wire::Hold hold = wire::Hold::kNone;
  std::int64_t opened_epoch = 0;  ///< Epoch of the last Open of this data directory; 0: never opened.
  bool open = false;              ///< Opened for writes, and mysqld has not ended since.
  std::string opened_by_pod;      ///< Uid of the pod in which that was done last.
  std::string opened_on_boot;     ///< Boot id of its node then.
  std::string unseen_pod;         ///< See wire::MemberState.
  bool suspect_end = false;       ///< See wire::MemberState.
  bool suspect_stays = false;     ///< Another mysqld was started since: no exit tells of the suspect end any more.
  /// Boot id of the node on which durability was relaxed; empty: it never was, or was restored since. After another
  /// boot tables and binary log may not fit each other.
  std::string relaxed_on;
  std::string uuid;            ///< server_uuid of this incarnation.
  std::int64_t server_id = 0;  ///< 1 … 2^32 - 1, random, new with each incarnation.
  wire::Directory directory = wire::Directory::kEmpty;
  /// GTIDs that were executed but are in no binlog file (@@gtid_purged as last seen): CLONE and purging leave such.
  std::string outside_logs;
  bool ackers_known = false;          ///< Whether a SetAckers order was given since the Open of opened_epoch.
  std::vector<std::string> replicas;  ///< Its uuids, and those whose accounts were made since.

  /// All that an Open changes.
  auto opening(this auto& self) {
    return std::tie(self.opened_epoch, self.open, self.opened_by_pod, self.opened_on_boot, self.unseen_pod,
                    self.suspect_end, self.suspect_stays, self.ackers_known, self.replicas);
  }

  friend bool operator==(const EpochRecord&, const EpochRecord&) = default;
};

[[nodiscard]] std::string to_json_text(const EpochRecord& record);
/// Errors: kCorrupt for anything but a whole record: a missing field is never taken for its default here.
[[nodiscard]] Result<EpochRecord> parse_epoch_record(std::string_view text);

/// A new incarnation's record: uuid and server_id from the kernel's random numbers.
[[nodiscard]] Result<EpochRecord> fresh_record();
/// A random uuid (RFC 9562, version 4) in MySQL's form.
[[nodiscard]] Result<std::string> random_uuid();

/// The record on disk. One thread at a time.
///
/// On a volume that mysqld has filled up, the record must be writable all the same: without it no order is admitted,
/// and a log that could be read proves nothing. So a file of kBallastBytes lies beside it, and makes room for one
/// writing.
class EpochFile {
 public:
  static constexpr std::size_t kBallastBytes = 64 * 1024;

  /// `folder` is <volume>/baton; made if it is missing.
  explicit EpochFile(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Reads the record. kNotFound: there is none. kCorrupt: it cannot be trusted, and mysqld must not be started: the
  /// sentence says what a person can do. kRetry: the volume cannot be read.
  [[nodiscard]] Result<EpochRecord> load() const;
  /// Returns when the record is on disk: written beside, fsynced, renamed over, folder fsynced. On a full volume the
  /// ballast is given up for it, and made again if there is room. Errors: kRetry.
  [[nodiscard]] Result<void> save(const EpochRecord& record) const;

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "epoch.json"; }
  [[nodiscard]] std::filesystem::path ballast() const { return folder_ / "ballast"; }

 private:
  void keep_ballast() const;

  std::filesystem::path folder_;
};

/// Writes a file that is either all there or not at all, also after a power loss. Errors: kRetry.
[[nodiscard]] Result<void> write_durably(const std::filesystem::path& path, std::string_view text, unsigned mode);
/// The whole text of a small file. Errors: kNotFound, kRetry, kCorrupt when larger than `limit` bytes.
[[nodiscard]] Result<std::string> read_small_file(const std::filesystem::path& path, std::size_t limit);

}  // namespace baton::sidecar
