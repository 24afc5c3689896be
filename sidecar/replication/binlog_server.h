#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "operator/base/log.h"
#include "operator/base/sockets.h"
#include "sidecar/replication/log_source.h"
#include "sidecar/replication/source_session.h"

namespace baton::replication {

struct BinlogServerOptions {
  std::string address = kEveryAddress;  ///< IPv4 or IPv6 address.
  std::uint16_t port = 0;               ///< 0: any free one, see BinlogServer::port().
  std::string certificate_file = {};    ///< PEM chain and key, read anew when they change. Both empty: no TLS (tests).
  std::string key_file = {};
  std::size_t max_connections = 64;                  ///< Further ones are closed at once.
  Duration send_timeout = std::chrono::seconds(60);  ///< A client that takes nothing for so long is dropped.
  SourceSession::Limits limits{};
};

/// Whose logs are served, and to whom.
struct Served {
  Identity identity;
  std::vector<Account> accounts;
};
/// Asked for each connection, on its thread: a rotated password or an upgraded server needs no restart. While it fails,
/// connections are closed. Thread-safe.
using ServedFacts = std::function<Result<Served>()>;

/// Serves transactions to MySQL receivers: CHANGE REPLICATION SOURCE TO ... SOURCE_AUTO_POSITION=1, SOURCE_SSL=1. One
/// thread a connection, a SourceSession in each; a second dump of one receiver ends the first. Thread-safe.
class BinlogServer {
 public:
  /// How often a stream that said CaughtUp is asked again if the log source cannot say that there is more.
  static constexpr Duration kPollInterval{50};

  struct Counters {
    std::size_t connections = 0;  ///< Open now.
    std::size_t receivers = 0;    ///< Of those, the ones that dump.
    std::uint64_t bytes_sent = 0;
  };

  /// `source` must outlive the server. Errors: kRetry (port taken), kTerminal (address or certificate unusable).
  [[nodiscard]] static Result<std::unique_ptr<BinlogServer>> start(BinlogServerOptions options, ServedFacts served,
                                                                   LogSource& source, Logger log);
  /// Closes the port and every connection; receivers try again elsewhere or later.
  ~BinlogServer();
  BinlogServer(const BinlogServer&) = delete;
  BinlogServer& operator=(const BinlogServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] Counters counters() const;

 private:
  class Server;
  explicit BinlogServer(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

/// Serves until the stop; for tools. Errors: those of BinlogServer::start.
[[nodiscard]] Result<void> serve(const std::stop_token& stop, BinlogServerOptions options, ServedFacts served,
                                 LogSource& source, const Logger& log);

}  // namespace baton::replication
