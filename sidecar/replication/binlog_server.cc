#include "sidecar/replication/binlog_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <format>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "operator/base/acceptor.h"
#include "sidecar/replication/connection.h"

namespace baton::replication {
namespace {

std::string peer_of(const Fd& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  if (address.ss_family == AF_INET6) {
    const in6_addr& six = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
    // A port of both families sees ::ffff:10.0.0.7.
    constexpr std::size_t kMappedAt = 12;
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&six);
    ::inet_ntop(mapped ? AF_INET : AF_INET6, &six.s6_addr[mapped ? kMappedAt : 0], text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr, text.data(), text.size());
  }
  return text.data();
}

/// mysqld tells receivers apart by their uuid too, and by server_id where there is none (kill_zombie_dump_threads).
std::string key_of(const Receiver& receiver) {
  return receiver.uuid.empty() ? std::format("server_id {}", receiver.server_id) : receiver.uuid;
}

}  // namespace

class BinlogServer::Server final : public ConnectionObserver {
 public:
  Server(BinlogServerOptions options, ServedFacts served, LogSource& source, Logger log, Fd port)
      : options_(std::move(options)),
        served_(std::move(served)),
        source_(source),
        log_(std::move(log)),
        tls_(options_.certificate_file, options_.key_file, log_),
        listen_(std::move(port)) {}

  [[nodiscard]] Result<void> prepare() { return secure() ? tls_.reload() : Result<void>(); }
  void run() {
    acceptor_.emplace(
        std::move(listen_), options_.max_connections,
        [this](Fd socket, const WakeEvent& wake, const std::stop_token& stop) {
          serve_one(std::move(socket), wake, stop);
        },
        log_);
  }
  [[nodiscard]] std::uint16_t port() const { return acceptor_->port(); }
  [[nodiscard]] Counters counters() const {
    const std::scoped_lock lock(mutex_);
    return {.connections = open_, .receivers = dumps_.size(), .bytes_sent = bytes_sent_};
  }

  void dump_begins(const Receiver& receiver, const WakeEvent& wake, std::atomic<bool>& replaced) override {
    const std::scoped_lock lock(mutex_);
    auto& dump = dumps_[key_of(receiver)];
    if (dump.replaced != nullptr) {
      *dump.replaced = true;
      dump.wake->raise();
    }
    dump = {&wake, &replaced};
  }
  void dump_ended(const Receiver& receiver, const WakeEvent& wake) override {
    const std::scoped_lock lock(mutex_);
    const auto found = dumps_.find(key_of(receiver));
    if (found != dumps_.end() && found->second.wake == &wake) dumps_.erase(found);
  }
  void sent(std::size_t bytes) override { bytes_sent_ += bytes; }

 private:
  struct RunningDump {
    const WakeEvent* wake = nullptr;
    std::atomic<bool>* replaced = nullptr;
  };

  [[nodiscard]] bool secure() const { return !options_.certificate_file.empty() || !options_.key_file.empty(); }

  void serve_one(Fd socket, const WakeEvent& wake, const std::stop_token& stop) {
    const std::string peer = peer_of(socket);
    const Logger log = log_.with({{"peer", peer}});
    auto served = served_();
    if (!served) return log.warn("not ready to serve, a connection is closed", {{"error", served.error().what}});
    ++open_;
    SourceSession session({.identity = std::move(served->identity),
                           .accounts = std::move(served->accounts),
                           .nonce = make_nonce(),
                           .connection_id = ++last_id_,
                           .peer = peer,
                           .tls = secure(),
                           .limits = options_.limits},
                          source_, clock_.now());
    Connection({.socket = std::move(socket),
                .tls = secure() ? tls_.current() : nullptr,
                .wake = wake,
                .options = options_,
                .source = source_,
                .observer = *this,
                .clock = clock_,
                .log = log},
               std::move(session))
        .run(stop);
    --open_;
  }

  const BinlogServerOptions options_;
  const ServedFacts served_;
  LogSource& source_;
  const Logger log_;
  const SystemClock clock_;
  ServerTls tls_;
  Fd listen_;  // Until run().
  std::atomic<std::uint32_t> last_id_ = 0;
  std::atomic<std::size_t> open_ = 0;
  std::atomic<std::uint64_t> bytes_sent_ = 0;
  mutable std::mutex mutex_;  // Guards dumps_ and what they point to.
  std::map<std::string, RunningDump> dumps_;
  std::optional<Acceptor> acceptor_;  // Last: its threads use all of the above.
};

BinlogServer::BinlogServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}
BinlogServer::~BinlogServer() = default;
std::uint16_t BinlogServer::port() const { return server_->port(); }
BinlogServer::Counters BinlogServer::counters() const { return server_->counters(); }

Result<std::unique_ptr<BinlogServer>> BinlogServer::start(BinlogServerOptions options, ServedFacts served,
                                                          LogSource& source, Logger log) {
  TRY(port, open_port(options.address, options.port));
  auto server =
      std::make_unique<Server>(std::move(options), std::move(served), source, std::move(log), std::move(port));
  TRY_VOID(server->prepare());
  server->run();
  return std::unique_ptr<BinlogServer>(new BinlogServer(std::move(server)));
}

Result<void> serve(const std::stop_token& stop, BinlogServerOptions options, ServedFacts served, LogSource& source,
                   const Logger& log) {
  TRY(server, BinlogServer::start(std::move(options), std::move(served), source, log));
  log.info("serving binary logs", {{"port", server->port()}});
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, stop, [] { return false; });
  return {};
}

}  // namespace baton::replication
