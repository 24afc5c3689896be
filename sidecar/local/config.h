#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "operator/base/sockets.h"
#include "sidecar/wire/order.h"

namespace baton::sidecar {

/// What `baton-sidecar run` is told: flags, or the environment where a name is given.
struct Config {
  std::string member;                                    ///< --member, POD_NAME
  std::string pod_uid;                                   ///< --pod-uid, POD_UID
  std::filesystem::path data = "/var/lib/mysql";         ///< --data: the volume. mysqld's directory is data/data.
  std::filesystem::path run = "/run/baton";              ///< --run: gate.sock and mysql/mysqld.sock, shared with mysqld
  std::filesystem::path config = "/etc/baton/config";    ///< --config: the folder of my.cnf
  std::filesystem::path secrets = "/etc/baton/secrets";  ///< --secrets
  std::string address = kEveryAddress;                   ///< --address of all ports
  std::uint16_t api_port = 8443;                         ///< --api-port
  std::uint16_t metrics_port = 9104;                     ///< --metrics-port
  std::uint16_t log_port = wire::kLogPort;               ///< --log-port: of the binlog server

  [[nodiscard]] std::filesystem::path data_directory() const { return data / "data"; }
  [[nodiscard]] std::filesystem::path state_directory() const { return data / "baton"; }
  /// Second names of logs (LogGuard).
  [[nodiscard]] std::filesystem::path kept_logs() const { return state_directory() / "kept"; }
  [[nodiscard]] std::filesystem::path gate_socket() const { return run / "gate.sock"; }
  /// In a folder that only this uid may enter: who gets in is root@localhost.
  [[nodiscard]] std::filesystem::path socket_directory() const { return run / "mysql"; }
  [[nodiscard]] std::filesystem::path mysqld_socket() const { return socket_directory() / "mysqld.sock"; }
  [[nodiscard]] std::filesystem::path secret(std::string_view name) const { return secrets / name; }
};

/// Reads "--name value" pairs. Errors: kTerminal, naming the flag.
[[nodiscard]] Result<Config> parse_config(std::span<const std::string> arguments);

/// mysqld's arguments: what my.cnf cannot know (the incarnation's server_id) and what must hold at every start,
/// whatever my.cnf says: read-only, replication stopped.
[[nodiscard]] std::vector<std::string> server_arguments(const Config& config, std::int64_t server_id);
[[nodiscard]] std::vector<std::string> initialize_arguments(const Config& config);

}  // namespace baton::sidecar
