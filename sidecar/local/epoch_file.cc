#include "sidecar/local/epoch_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <expected>
#include <limits>
#include <system_error>

#include "operator/base/fd.h"
#include "sidecar/wire/member_state_fields.h"

namespace baton::sidecar {
namespace {

/// Raised when a record is written that older sidecars would misread.
constexpr std::int64_t kFormat = 3;
constexpr std::size_t kMaxFile = 4 * 1024 * 1024;

std::string reason() { return std::strerror(errno); }

/// A system call that failed.
struct Failure {
  int number = 0;  ///< errno
  std::string what;

  [[nodiscard]] bool is_for_want_of_room() const { return number == ENOSPC || number == EDQUOT; }
};
using Written = std::expected<void, Failure>;

std::unexpected<Failure> failed(std::string_view call, const std::string& path) {
  const int number = errno;
  return std::unexpected(Failure{number, std::format("failed to {} {}: {}", call, path, std::strerror(number))});
}

Written write_all(int fd, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const auto count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return failed("write", name);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd) != 0) return failed("fsync", name);
  return {};
}

/// As write_durably.
Written replace_file(const std::filesystem::path& path, std::string_view text, unsigned mode) {
  const auto temporary = path.string() + ".tmp";
  {
    const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!file) return failed("open", temporary);
    TRY_VOID(write_all(file.get(), text, temporary));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("rename", temporary);
  const auto folder = path.parent_path().string();
  const Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return failed("fsync", folder);
  return {};
}

Result<void> result_of(Written written) {
  if (written) return {};
  return fail(ErrorKind::kRetry, "{}", written.error().what);
}

Result<void> fill_random(void* bytes, std::size_t size) {
  if (::getrandom(bytes, size, 0) != static_cast<ssize_t>(size)) {
    return fail(ErrorKind::kRetry, "the kernel gave no random numbers: {}", reason());
  }
  return {};
}

/// Collects the names of a struct's fields.
struct NameCollector {
  std::vector<std::string_view> names;
  template <class T>
  void operator()(const char* name, const T&) {
    names.emplace_back(name);
  }
};

}  // namespace

template <class Visitor, wire::Of<EpochRecord> S>
void visit_fields(Visitor& visit, S& value) {
  visit("epoch", value.epoch);
  visit("revision", value.revision);
  visit("hold", value.hold);
  visit("opened_epoch", value.opened_epoch);
  visit("open", value.open);
  visit("opened_by_pod", value.opened_by_pod);
  visit("opened_on_boot", value.opened_on_boot);
  visit("unseen_pod", value.unseen_pod);
  visit("suspect_end", value.suspect_end);
  visit("suspect_stays", value.suspect_stays);
  visit("relaxed_on", value.relaxed_on);
  visit("uuid", value.uuid);
  visit("server_id", value.server_id);
  visit("directory", value.directory);
  visit("outside_logs", value.outside_logs);
  visit("ackers_known", value.ackers_known);
  visit("replicas", value.replicas);
}

std::string to_json_text(const EpochRecord& record) {
  auto json = wire::FieldWriter::whole_object_of(record);
  json["format"] = kFormat;
  return wire::line_of(json) + "\n";
}

Result<EpochRecord> parse_epoch_record(std::string_view text) {
  TRY(json, wire::parse_bounded(text, kMaxFile));
  TRY(record, wire::FieldReader::struct_of<EpochRecord>(json, ""));
  NameCollector collector;
  collector.names.emplace_back("format");
  visit_fields(collector, record);
  for (const auto name : collector.names) {
    if (!json.contains(name)) return fail(ErrorKind::kCorrupt, "field '{}' is missing", name);
  }
  if (json["format"] != kFormat) {
    return fail(ErrorKind::kCorrupt, "format {} is not the {} that this sidecar knows", json["format"].dump(), kFormat);
  }
  if (record.uuid.size() != 36) return fail(ErrorKind::kCorrupt, "field 'uuid' is not a server_uuid");
  if (record.server_id < 1 || record.server_id > std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorKind::kCorrupt, "field 'server_id' is not between 1 and 2^32-1");
  }
  if (record.epoch < 0 || record.revision < 0 || record.opened_epoch < 0 || record.opened_epoch > record.epoch) {
    return fail(ErrorKind::kCorrupt, "epoch, revision and opened_epoch do not fit each other");
  }
  return record;
}

Result<std::string> random_uuid() {
  std::array<unsigned char, 16> bytes{};
  TRY_VOID(fill_random(bytes.data(), bytes.size()));
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x40U);  // version 4
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);  // variant
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += std::format("{:02x}", bytes[i]);
  }
  return text;
}

Result<EpochRecord> fresh_record() {
  EpochRecord record;
  TRY(uuid, random_uuid());
  record.uuid = std::move(uuid);
  std::uint32_t server_id = 0;
  // 0 would turn replication off.
  while (server_id == 0) TRY_VOID(fill_random(&server_id, sizeof(server_id)));
  record.server_id = server_id;
  return record;
}

Result<EpochRecord> EpochFile::load() const {
  auto text = read_small_file(path(), kMaxFile);
  if (!text && text.error().kind != ErrorKind::kCorrupt) return std::unexpected(std::move(text).error());
  auto record = text.and_then([](const std::string& content) { return parse_epoch_record(content); });
  if (!record) {
    return fail(ErrorKind::kCorrupt,
                "{} cannot be trusted ({}); mysqld is not started, since it may have been held or fenced. Restore the "
                "file, or rebuild this member on an empty volume",
                path().string(), record.error().what);
  }
  return record;
}

Result<void> EpochFile::save(const EpochRecord& record) const {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return fail(ErrorKind::kRetry, "failed to make {}: {}", folder_.string(), error.message());
  const auto text = to_json_text(record);
  auto written = replace_file(path(), text, 0600);
  if (!written && written.error().is_for_want_of_room()) {
    ::unlink(ballast().c_str());
    written = replace_file(path(), text, 0600);
  }
  if (written) keep_ballast();
  return result_of(std::move(written));
}

/// Without it all is as it would be on a volume that never had any: no failure.
void EpochFile::keep_ballast() const {
  std::error_code error;
  if (std::filesystem::file_size(ballast(), error) == kBallastBytes && !error) return;
  // Zeros might take no room.
  std::string bytes(kBallastBytes, '\0');
  if (!fill_random(bytes.data(), bytes.size())) return;
  const Fd file(::open(ballast().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file || !write_all(file.get(), bytes, ballast().string())) ::unlink(ballast().c_str());
}

Result<void> write_durably(const std::filesystem::path& path, std::string_view text, unsigned mode) {
  return result_of(replace_file(path, text, mode));
}

Result<std::string> read_small_file(const std::filesystem::path& path, std::size_t limit) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return fail(errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kRetry, "failed to open {}: {}", path.string(),
                reason());
  }
  std::string text;
  std::array<char, 4096> bytes;
  while (true) {
    const auto count = ::read(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorKind::kRetry, "failed to read {}: {}", path.string(), reason());
    if (count == 0) return text;
    text.append(bytes.data(), static_cast<std::size_t>(count));
    if (text.size() > limit) return fail(ErrorKind::kCorrupt, "{} is larger than {} bytes", path.string(), limit);
  }
}

}  // namespace baton::sidecar
