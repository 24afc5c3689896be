#include "sidecar/local/log_keeper.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "sidecar/binlog/proof.h"
#include "sidecar/local/secrets.h"
#include "sidecar/mysql/server_admin.h"

namespace baton::sidecar {

using wire::Directory;
using wire::Process;

namespace {

/// A disk may refuse for a moment: so long it is only "being read".
constexpr Duration kReadPatience = std::chrono::seconds(2);
/// There is one receiver at a time; more connections are strangers or late ones.
constexpr std::size_t kConnectionsMost = 16;

/// Names as pinned (sidecar/mysql/pinned.cc: log_bin, relay_log).
std::vector<binlog::LogListing> listings_of(const Config& config) {
  const auto data = config.data_directory();
  return {{binlog::LogKind::kBinlog, data / "binlog.index", data, config.kept_logs() / "binlog"},
          {binlog::LogKind::kRelay, data / "relay.index", data, config.kept_logs() / "relay"}};
}

bool has_value(const wire::MemberState& state) {
  return state.directory == Directory::kInitialized || state.directory == Directory::kCloned;
}

/// The newest FORMAT_DESCRIPTION of the binary logs: the server that wrote it.
const binlog::Description* newest_description(const binlog::LogSnapshot& snapshot) {
  for (const binlog::IndexedLogs& logs : snapshot.logs) {
    if (logs.kind != binlog::LogKind::kBinlog) continue;
    for (const auto& file : logs.files | std::views::reverse) {
      if (!file->contents.descriptions.empty()) return &file->contents.descriptions.back();
    }
  }
  return nullptr;
}

bool is_uuid(std::string_view text) {
  const auto is_right = [&](std::size_t place) {
    const bool is_dash = place == 8 || place == 13 || place == 18 || place == 23;
    return is_dash ? text[place] == '-' : std::string_view("0123456789abcdef").contains(text[place]);
  };
  return text.size() == 36 && std::ranges::all_of(std::views::iota(std::size_t{0}, text.size()), is_right);
}

}  // namespace

Result<std::unique_ptr<LogKeeper>> LogKeeper::start(Member& member, const MysqlLibrary& library, const Logger& log) {
  std::unique_ptr<LogKeeper> keeper(new LogKeeper(member, library, log));
  TRY_VOID(keeper->listen(log));
  LogKeeper* const self = keeper.get();
  keeper->asker_ = std::jthread([self](const std::stop_token& stop) { self->ask(stop); });
  member.on_scan([self](int scan) { self->begin_scan(scan); });
  return keeper;
}

LogKeeper::LogKeeper(Member& member, const MysqlLibrary& library, const Logger& log)
    : member_(member),
      status_(library, member.config().mysqld_socket()),
      guard_(listings_of(member.config())),
      log_(log),
      tail_(
          listings_of(member.config()), [this] { return facts(); }, kLookInterval, [this] { on_look(); }),
      offered_(tail_) {}

Result<void> LogKeeper::listen(const Logger& log) {
  const Config& config = member_.config();
  TRY(server, replication::BinlogServer::start(
                  {.address = config.address,
                   .port = config.log_port,
                   .certificate_file = config.secret(config.member + ".crt").string(),
                   .key_file = config.secret(config.member + ".key").string(),
                   .max_connections = kConnectionsMost},
                  [this] { return served(); }, offered_, log));
  server_ = std::move(server);
  return {};
}

LogKeeper::~LogKeeper() {
  member_.on_scan({});
  offered_.stop_waiting();
}

// ---- what the index may read

std::optional<binlog::LogIndex::Step> LogKeeper::facts() {
  const auto [process, is_of_value] =
      member_.board().look([](const wire::MemberState& state) { return std::pair(state.process, has_value(state)); });
  const std::scoped_lock lock(mutex_);
  // The next mysqld publishes its own.
  if (process != Process::kRunning) {
    published_.reset();
    executed_.reset();
  }
  if (!is_of_value) return std::nullopt;
  return binlog::LogIndex::Step{
      .is_alive = process != Process::kNotRunning, .published = published_, .executed = executed_};
}

/// The asker's thread. A server whose disk hangs lets it wait, and nobody else.
void LogKeeper::ask(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const bool is_running =
        member_.board().look([](const wire::MemberState& state) { return state.process; }) == Process::kRunning;
    std::unique_lock lock(mutex_);
    const std::uint64_t wanted = asks_wanted_;
    lock.unlock();
    std::optional<LogStatus> status;
    if (!is_running) {
      status_.close();
    } else if (auto read = status_.read(stop)) {
      status = *std::move(read);
    }
    lock.lock();
    published_ = status.transform([](LogStatus& read) { return binlog::LogPosition{read.file, read.position}; });
    executed_ = status ? std::make_shared<const GtidSet>(std::move(status->executed)) : nullptr;
    asks_done_ = wanted;
    changed_.notify_all();
    changed_.wait_for(lock, stop, kAskInterval, [this] { return asks_wanted_ > asks_done_; });
  }
}

void LogKeeper::look_now(const std::stop_token& stop, std::chrono::milliseconds limit) {
  const auto begin = std::chrono::steady_clock::now();
  {
    std::unique_lock lock(mutex_);
    const std::uint64_t wanted = ++asks_wanted_;
    changed_.notify_all();
    changed_.wait_until(lock, stop, begin + limit / 2, [&] { return asks_done_ >= wanted; });
  }
  tail_.wait_complete(tail_.poke(), stop, begin + limit);
}

std::string LogKeeper::servable() const { return tail_.latest()->available.to_string(); }

std::string LogKeeper::unreadable() const {
  const auto snapshot = tail_.latest();
  const auto found = std::ranges::find(snapshot->problems, ErrorKind::kUnsafe, &Error::kind);
  return found == snapshot->problems.end() ? std::string() : found->what;
}

LogFigures LogKeeper::figures() const {
  const auto counters = server_->counters();
  const auto snapshot = tail_.latest();
  return {.receivers = counters.receivers,
          .bytes_sent = counters.bytes_sent,
          .transactions_sent = offered_.transactions_sent(),
          .is_indexed = snapshot->is_complete,
          .problems = snapshot->problems.size()};
}

// ---- what a dead mysqld's logs prove

/// Under the member's lock; that mysqld is down is on the board by now, where facts() sees it.
void LogKeeper::begin_scan(int number) {
  const std::scoped_lock lock(mutex_);
  scan_ = Scan{.number = number, .look = tail_.poke(), .since = member_.now(), .answered_by = {}, .answer = {}};
}

/// The tail's thread, after each look.
void LogKeeper::on_look() {
  tend_guard(*tail_.latest());
  if (member_.board().look([](const wire::MemberState& state) { return state.process; }) != Process::kNotRunning) {
    told_.reset();
    return;
  }
  const auto known = tail_.known();
  if (auto scan = due_scan(known)) {
    answer(*std::move(scan), known);
  } else if (told_ != known.snapshot) {
    member_.tell([&](MemberMachine& machine) {
      machine.set_servable(known.snapshot->available.to_string());
      return Effects{};
    });
  }
  told_ = known.snapshot;
}

void LogKeeper::tend_guard(const binlog::LogSnapshot& snapshot) {
  const auto [is_of_value, incident] = member_.board().look(
      [](const wire::MemberState& state) { return std::pair(has_value(state), is_incident(state)); });
  if (!is_of_value) return;
  const auto tended = guard_.tend(snapshot, incident);
  const std::string error = tended ? "" : tended.error().what;
  if (error == guard_error_) return;
  guard_error_ = error;
  if (!error.empty()) log_.warn("logs cannot be kept", {{"error", error}});
}

/// The scan that can be answered now, and was not answered with the same.
std::optional<LogKeeper::Scan> LogKeeper::due_scan(const binlog::LogTail::Known& known) {
  const std::scoped_lock lock(mutex_);
  if (!scan_ || known.last < scan_->look) return std::nullopt;
  const bool is_read = known.complete >= scan_->look;
  if (is_read) return scan_->answered_by == known.snapshot ? std::nullopt : scan_;
  if (!known.failure || scan_->answer == known.failure) return std::nullopt;
  const bool may_pass = known.failure->kind == ErrorKind::kRetry || known.failure->kind == ErrorKind::kCancelled;
  return may_pass && member_.now() - scan_->since < kReadPatience ? std::nullopt : scan_;
}

void LogKeeper::answer(Scan scan, const binlog::LogTail::Known& known) {
  const bool is_read = known.complete >= scan.look;
  member_.tell([&](MemberMachine& machine) {
    machine.set_servable(known.snapshot->available.to_string());
    auto proven = is_read ? machine.outside_logs().and_then(
                                [&](const GtidSet& outside) { return binlog::prove(*known.snapshot, outside); })
                          : std::unexpected(*known.failure);
    scan.answer = proven ? std::nullopt : std::optional(proven.error());
    machine.on_logs(scan.number, std::move(proven));
    return Effects{};
  });
  const std::scoped_lock lock(mutex_);
  if (!scan_ || scan_->number != scan.number) return;
  // An error stays open: a file may be mended, a disk may come back.
  if (is_read) scan.answered_by = known.snapshot;
  scan_ = scan.answer ? std::optional(std::move(scan)) : std::nullopt;
}

// ---- what is sent

Result<void> LogKeeper::offer(const wire::OfferLogs& order) {
  if (order.replica.empty()) {
    TRY_VOID(member_.try_apply([](MemberMachine& machine) { return machine.offer_logs("", ""); }));
    offered_.set_offer(std::nullopt);
    return {};
  }
  if (!is_uuid(order.replica)) {
    return fail(ErrorKind::kTerminal, "replica: '{}' is no server_uuid", order.replica.substr(0, 60));
  }
  auto set = GtidSet::parse(order.set);
  if (!set) return wrap("set", std::move(set).error());
  TRY_VOID(
      member_.try_apply([&](MemberMachine& machine) { return machine.offer_logs(order.replica, set->to_string()); }));
  offered_.set_offer(Offer{.replica = order.replica, .set = *std::move(set)});
  return {};
}

/// For each connection, on its thread, before anything is said: the order to offer and the one to fetch are given at
/// the same time, and a receiver that comes first must not be turned away.
Result<replication::Served> LogKeeper::served() {
  TRY(identity, identity());
  replication::Served served{.identity = std::move(identity), .accounts = {}};
  const auto offer = offered_.await_offer();
  if (offer == nullptr) return served;
  TRY(password, read_secret(member_.config(), "replication-password"));
  served.accounts.push_back({replication_account(offer->replica), replication::password_digest(password)});
  return served;
}

Result<replication::Identity> LogKeeper::identity() const {
  const auto state = member_.board().look([](const wire::MemberState& now) {
    return std::tuple(has_value(now), now.server_id, now.uuid, now.sql ? now.sql->version : std::string());
  });
  const auto& [is_of_value, server_id, uuid, version] = state;
  if (!is_of_value) return fail(ErrorKind::kRetry, "the data directory has no value yet");
  const auto snapshot = tail_.latest();
  const binlog::Description* const description = newest_description(*snapshot);
  if (version.empty() && description == nullptr) {
    return fail(ErrorKind::kRetry, "no binary log tells yet which server wrote it");
  }
  return replication::Identity{
      .server_id = static_cast<std::uint32_t>(server_id),
      .server_uuid = uuid,
      .version = version.empty() ? binlog::server_version(*description) : version,
      .checksum = description == nullptr ? binlog::ChecksumAlgorithm::kCrc32 : description->checksum};
}

}  // namespace baton::sidecar
