#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>

#include "operator/base/log.h"
#include "sidecar/local/log_keeper.h"
#include "sidecar/local/member.h"
#include "sidecar/mysql/server_admin.h"
#include "sidecar/wire/order.h"

namespace baton::sidecar {

/// Carries out orders: one at a time, but for Fence, which no other order may hold up. Each is bounded: by the limits
/// of ServerAdmin, of its own arguments, or of DirectoryTask. Thread-safe.
class Orders {
 public:
  /// `on_done(order, result)` counts: result is "ok" or name_of(ErrorKind).
  Orders(Member& member, ServerAdmin& admin, LogKeeper& logs, Logger log,
         std::function<void(std::string_view order, std::string_view result)> on_done);

  /// Checks the order, takes its numbers up durably, does it, and tells the state after it.
  [[nodiscard]] wire::OrderResult carry_out(const std::stop_token& stop, const wire::Order& order);

 private:
  Result<void> dispatch(const std::stop_token& stop, const wire::Order& order);
  Result<void> fence(const std::stop_token& stop, const wire::Order& order);
  Result<void> admit(const wire::Order& order);

  // One for each command; what they need beside the command they get themselves.
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::Initialize& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::CloneFrom& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::Permit& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::Fence& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::StopReceiver& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::Follow& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::OfferLogs& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::SetDurability& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::SetAckCount& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::SetAckers& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order,
                       const wire::EnsureReplicationAccount& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::ExpelReplica& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order,
                       const wire::EnsureApplicationAccount& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::WriteHeartbeat& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::AllowClone& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::WaitApplied& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::WaitAckers& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::WaitReceived& command);
  Result<void> perform(const std::stop_token& stop, const wire::Order& order, const wire::Open& command);

  Result<void> relax(const std::stop_token& stop, const wire::Order& order);

  /// Brings what mysqld says up to date, so that the answer carries the state after the order.
  void look_again(const std::stop_token& stop);
  /// Lets the channel begin anew if its relay logs are shorter than they were.
  [[nodiscard]] Result<void> mend_channel(const std::stop_token& stop);
  /// Refuses while a data directory is being made or mysqld does not run.
  [[nodiscard]] Result<void> need_server() const;

  Member& member_;
  ServerAdmin& admin_;
  LogKeeper& logs_;
  Logger log_;
  std::function<void(std::string_view, std::string_view)> on_done_;
  std::timed_mutex slot_;
  int fences_before_ = 0;  ///< How many had come when the order that has the slot came.
  std::jthread task_;      ///< A clone; only replaced when the machine says that no task runs.
};

}  // namespace baton::sidecar
