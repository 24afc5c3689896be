#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "operator/base/log.h"
#include "sidecar/local/log_keeper.h"
#include "sidecar/local/member.h"
#include "sidecar/mysql/server_admin.h"

namespace baton::sidecar {

/// Asks mysqld how it is: every 500 ms while it runs, more often until it answers for the first time. What it does not
/// answer is reported as sql_error, never as death. Also ends dump threads of strangers on a server that is open, sets
/// super_read_only again where an order could not, and brings the mounted Secret to the server when it changes and
/// after each start: accounts get its passwords (a kept volume may hold those of an earlier Secret; the earlier ones
/// stay valid beside them, because mounts catch up one by one), and mysqld reads its certificate anew.
class Reporter {
 public:
  Reporter(Member& member, ServerAdmin& admin, LogKeeper& logs, Logger log);

 private:
  void run(const std::stop_token& stop);
  void tend(const std::stop_token& stop);
  void kill_strangers(const std::stop_token& stop);
  void tend_server(const std::stop_token& stop);
  void renew_passwords(const std::stop_token& stop);
  void renew_certificate(const std::stop_token& stop);

  Member& member_;
  ServerAdmin& admin_;
  LogKeeper& logs_;
  Logger log_;
  // Of the tender's thread.
  Instant tending_due_{};
  int secrets_of_start_ = 0;                ///< The start whose server was given secrets last.
  std::optional<Passwords> passwords_;      ///< What that server has; nothing if that is not known.
  std::optional<std::string> certificate_;  ///< The same.
  std::jthread thread_;
  std::jthread tender_;
};

/// Asks once and hands the answer to the member, and with it what the logs can send. The member drops it if somebody
/// who began to ask later was answered first. Errors: those of ServerAdmin::read_state.
Result<void> refresh(const std::stop_token& stop, Member& member, ServerAdmin& admin, const LogKeeper& logs);

}  // namespace baton::sidecar
