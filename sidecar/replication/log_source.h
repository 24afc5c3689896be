#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/transaction_stream.h"

namespace baton::replication {

/// A receiver that asked for transactions.
struct Receiver {
  std::string user;  ///< Proven by its password.
  std::string uuid;  ///< @replica_uuid, as it claims; empty when it did not say.
  std::uint32_t server_id = 0;
  GtidSet have;
};

/// Why a receiver cannot be served from here, whatever it does: it is told with error 1236 and stops for good.
struct Refusal {
  enum class Reason {
    kPurged,         ///< It lacks transactions that are in no log here any more.
    kReceiverAhead,  ///< It has transactions of this server's own uuid that are in no log here.
  };
  Reason reason{};
  GtidSet transactions;  ///< Those that are missing, on either side.
};

/// Where the binlog server gets transactions from. Thread-safe: each session calls it from its own thread. Streams may
/// be used beside each other, each by one thread, and must not outlive the source.
class LogSource {
 public:
  using Opened = std::variant<std::unique_ptr<binlog::TransactionStream>, Refusal>;
  /// Undoes subscribe() when it goes; after that `wake` is not called any more, nor running.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  struct Sets {
    GtidSet executed;  ///< All that is known to be executed here: what can be served, and what was purged.
    GtidSet purged;    ///< The part of it that is in no log any more.
  };

  virtual ~LogSource() = default;

  /// A stream of what is here, not in `receiver.have`, and meant for it. May wait for a moment. Errors: kCorrupt and
  /// kUnsafe end the receiver for good, after any other it tries again.
  [[nodiscard]] virtual Result<Opened> open(const Receiver& receiver) = 0;

  /// For tools that ask: @@global.gtid_executed and gtid_purged.
  [[nodiscard]] virtual Sets sets() = 0;

  /// Calls `wake`, from any thread, whenever a stream that said CaughtUp may have more; too often does no harm. `wake`
  /// must not block. Null: there is no such word here, and streams are asked again every BinlogServer::kPollInterval.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): those that override it keep it.
  [[nodiscard]] virtual std::unique_ptr<Subscription> subscribe(std::function<void()> /*wake*/) { return nullptr; }
};

}  // namespace baton::replication
