#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "operator/base/log.h"
#include "sidecar/binlog/log_tail.h"
#include "sidecar/local/log_guard.h"
#include "sidecar/local/log_offer.h"
#include "sidecar/local/member.h"
#include "sidecar/local/metrics.h"
#include "sidecar/mysql/log_status.h"
#include "sidecar/replication/binlog_server.h"

namespace baton::sidecar {

/// Knows what lies in this member's binary logs and relay logs, whether mysqld runs or not, tells it, and sends what is
/// offered of it. Thread-safe.
///
/// - While mysqld runs, an index of the logs is kept warm, up to what mysqld has published.
/// - When it is proven dead, MemberMachine::on_logs is told what the logs prove, milliseconds later.
/// - What mysqld or a person deletes of the logs is kept while it may be the last copy of something (LogGuard).
/// - Port --log-port speaks MySQL's replication protocol, source side, to the replica that an OfferLogs order names.
///
/// Nothing here waits for mysqld but a thread that does nothing else, and the machine's lock is taken by no other wait.
class LogKeeper {
 public:
  /// How often files are looked at while nobody waits for what is in them (after a death, an offer, or a receiver that
  /// asks for more than is known, that happens at once), and mysqld is asked how far its log may be read. A look is
  /// forty system calls.
  static constexpr std::chrono::milliseconds kLookInterval{200};
  static constexpr std::chrono::milliseconds kAskInterval{500};

  /// `member` and `library` must live longer. Errors: those of BinlogServer::start.
  [[nodiscard]] static Result<std::unique_ptr<LogKeeper>> start(Member& member, const MysqlLibrary& library,
                                                                const Logger& log);
  ~LogKeeper();
  LogKeeper(const LogKeeper&) = delete;
  LogKeeper& operator=(const LogKeeper&) = delete;

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  /// Carries out an OfferLogs order. Errors: kCorrupt or kTerminal for a set or a replica that cannot be read; those of
  /// MemberMachine::offer_logs.
  [[nodiscard]] Result<void> offer(const wire::OfferLogs& order);
  /// Waits until what is in the logs now is known, or for `limit`.
  void look_now(const std::stop_token& stop, std::chrono::milliseconds limit);
  /// Before the relay logs are deleted by an order: what they hold stays here, and can be sent.
  [[nodiscard]] Result<void> secure_relay_logs() { return guard_.secure_relay_logs(); }
  /// What can be sent: MemberState::servable.
  [[nodiscard]] std::string servable() const;
  /// MemberState::unreadable_log.
  [[nodiscard]] std::string unreadable() const;
  [[nodiscard]] LogFigures figures() const;

 private:
  /// A scan that the machine waits for.
  struct Scan {
    int number = 0;
    std::uint64_t look = 0;  ///< The first look that began after mysqld's death.
    Instant since{};
    // What was answered to it, if it was an error.
    std::shared_ptr<const binlog::LogSnapshot> answered_by;
    std::optional<Error> answer;
  };

  LogKeeper(Member& member, const MysqlLibrary& library, const Logger& log);
  [[nodiscard]] Result<void> listen(const Logger& log);

  [[nodiscard]] std::optional<binlog::LogIndex::Step> facts();
  [[nodiscard]] Result<replication::Served> served();
  [[nodiscard]] Result<replication::Identity> identity() const;
  void ask(const std::stop_token& stop);

  void begin_scan(int number);
  void on_look();
  void tend_guard(const binlog::LogSnapshot& snapshot);
  [[nodiscard]] std::optional<Scan> due_scan(const binlog::LogTail::Known& known);
  void answer(Scan scan, const binlog::LogTail::Known& known);

  Member& member_;
  LogStatusReader status_;  ///< Of the asker's thread.
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<binlog::LogPosition> published_;
  std::shared_ptr<const GtidSet> executed_;  ///< Told with it.
  std::uint64_t asks_wanted_ = 0;
  std::uint64_t asks_done_ = 0;
  std::optional<Scan> scan_;
  std::shared_ptr<const binlog::LogSnapshot> told_;  ///< Of the tail's thread: what `servable` was told of a dead one.
  LogGuard guard_;
  std::string guard_error_;  ///< Of the tail's thread.
  Logger log_;
  binlog::LogTail tail_;
  OfferedLogs offered_;
  std::unique_ptr<replication::BinlogServer> server_;
  std::jthread asker_;
};

}  // namespace baton::sidecar
