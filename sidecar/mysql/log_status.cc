#include "sidecar/mysql/log_status.h"

#include <utility>

namespace baton::sidecar {
namespace {

/// Long: of a server whose disk hangs, every session that is given up leaves a thread behind that still waits, and
/// those would use up max_connections.
constexpr SessionLimits kLimits{.connect = std::chrono::seconds(1), .answer = std::chrono::seconds(60)};

}  // namespace

Result<LogStatus> LogStatusReader::read(const std::stop_token& stop) {
  if (session_ && session_->lost()) session_.reset();
  if (!session_) {
    TRY(session, Session::connect(library_, {.socket = socket_}, kLimits, stop));
    session_ = std::move(session);
  }
  TRY(rows, session_->query(stop, "SHOW BINARY LOG STATUS"));
  if (rows.empty()) return fail(ErrorKind::kNotFound, "the server writes no binary log");
  TRY(executed, GtidSet::parse(rows[0].text("Executed_Gtid_Set")));
  return LogStatus{rows[0].text("File"), static_cast<std::uint64_t>(rows[0].number("Position")), std::move(executed)};
}

}  // namespace baton::sidecar
