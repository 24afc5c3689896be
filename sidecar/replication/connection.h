#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "operator/base/clock.h"
#include "operator/base/log.h"
#include "operator/base/server_tls.h"
#include "operator/base/sockets.h"
#include "sidecar/replication/binlog_server.h"
#include "sidecar/replication/tls_channel.h"

namespace baton::replication {

/// What connections tell their server. Thread-safe.
class ConnectionObserver {
 public:
  virtual ~ConnectionObserver() = default;
  /// `wake` and `replaced` belong to the connection: a later one of the same receiver sets both. Before the dump.
  virtual void dump_begins(const Receiver& receiver, const WakeEvent& wake, std::atomic<bool>& replaced) = 0;
  /// Before they go.
  virtual void dump_ended(const Receiver& receiver, const WakeEvent& wake) = 0;
  virtual void sent(std::size_t bytes) = 0;
};

/// A SourceSession on a socket, for the one thread that calls run().
class Connection {
 public:
  struct Parts {
    Fd socket;
    TlsContext tls;  ///< Null: without TLS.
    const WakeEvent& wake;
    const BinlogServerOptions& options;
    LogSource& source;
    ConnectionObserver& observer;
    const Clock& clock;
    Logger log;
  };
  Connection(Parts parts, SourceSession session);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Until the session, the client or the stop ends it.
  void run(const std::stop_token& stop);

 private:
  [[nodiscard]] Result<void> serve(const std::stop_token& stop);
  void note_receiver();
  [[nodiscard]] Result<void> begin_tls(Instant deadline, const std::stop_token& stop);
  [[nodiscard]] Result<void> wait_for_work(const SourceSession::Next& next);
  /// Waits for the socket, the wake event or a moment: whether the socket is ready.
  [[nodiscard]] Result<bool> wait_for(short events, Instant until);
  [[nodiscard]] Result<void> send(std::span<const std::byte> bytes, const std::stop_token& stop);
  [[nodiscard]] Result<void> send_raw(std::span<const std::byte> bytes, const std::stop_token& stop);
  /// Takes what has come in, without waiting. Errors: kGone.
  [[nodiscard]] Result<void> receive();
  void say_goodbye(const std::stop_token& stop);
  [[nodiscard]] Moment moment() const;

  Parts parts_;
  SourceSession session_;
  std::optional<TlsChannel> tls_;
  std::atomic<bool> replaced_ = false;
  bool noted_ = false;
  std::unique_ptr<LogSource::Subscription> subscription_;
  std::vector<std::byte> incoming_;
  std::vector<std::byte> decrypted_;
};

}  // namespace baton::replication
