#pragma once

#include <optional>
#include <stop_token>
#include <thread>

#include "operator/base/log.h"
#include "sidecar/local/log_keeper.h"
#include "sidecar/local/member.h"
#include "sidecar/mysql/server_admin.h"

namespace baton::sidecar {

/// Asks mysqld how it is: every 500 ms while it runs, more often until it answers for the first time. What it does not
/// answer is reported as sql_error, never as death. Also ends dump threads of strangers on a server that is open, and
/// gives accounts the passwords of the mounted Secret: after each start, since a kept volume may hold those of an
/// earlier Secret, and when the Secret changes. The earlier passwords stay valid beside them, because mounts catch up
/// one by one.
class Reporter {
 public:
  Reporter(Member& member, ServerAdmin& admin, LogKeeper& logs, Logger log);

 private:
  void run(const std::stop_token& stop);
  void kill_strangers(const std::stop_token& stop);
  void renew_passwords(const std::stop_token& stop);

  Member& member_;
  ServerAdmin& admin_;
  LogKeeper& logs_;
  Logger log_;
  Instant passwords_due_{};
  int passwords_of_start_ = 0;  ///< The start whose server has `passwords_`.
  std::optional<Passwords> passwords_;
  std::jthread thread_;
};

/// Asks once and hands the answer to the member, and with it what the logs can send. Errors: those of
/// ServerAdmin::read_state.
Result<void> refresh(const std::stop_token& stop, Member& member, ServerAdmin& admin, const LogKeeper& logs);

}  // namespace baton::sidecar
