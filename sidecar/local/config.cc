#include "sidecar/local/config.h"

#include <charconv>
#include <cstdlib>
#include <functional>
#include <map>
#include <string_view>

namespace baton::sidecar {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<void> read_port(const std::string& flag, const std::string& text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc{} && end == text.data() + text.size()) return {};
  return fail(ErrorKind::kTerminal, "{} '{}' is not a port number", flag, text);
}

std::string defaults_file(const Config& config) { return "--defaults-file=" + (config.config / "my.cnf").string(); }
std::string data_directory(const Config& config) { return "--datadir=" + config.data_directory().string(); }

}  // namespace

Result<Config> parse_config(std::span<const std::string> arguments) {
  Config config{.member = environment("POD_NAME"), .pod_uid = environment("POD_UID")};
  const std::map<std::string, std::function<Result<void>(const std::string&)>> flags = {
      {"--member", [&](const std::string& text) { return config.member = text, Result<void>{}; }},
      {"--pod-uid", [&](const std::string& text) { return config.pod_uid = text, Result<void>{}; }},
      {"--data", [&](const std::string& text) { return config.data = text, Result<void>{}; }},
      {"--run", [&](const std::string& text) { return config.run = text, Result<void>{}; }},
      {"--config", [&](const std::string& text) { return config.config = text, Result<void>{}; }},
      {"--secrets", [&](const std::string& text) { return config.secrets = text, Result<void>{}; }},
      {"--address", [&](const std::string& text) { return config.address = text, Result<void>{}; }},
      {"--api-port", [&](const std::string& text) { return read_port("--api-port", text, config.api_port); }},
      {"--metrics-port",
       [&](const std::string& text) { return read_port("--metrics-port", text, config.metrics_port); }},
      {"--log-port", [&](const std::string& text) { return read_port("--log-port", text, config.log_port); }},
  };
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const auto flag = flags.find(arguments[i]);
    if (flag == flags.end()) return fail(ErrorKind::kTerminal, "unknown flag '{}'", arguments[i]);
    if (i + 1 == arguments.size()) return fail(ErrorKind::kTerminal, "{} needs a value", arguments[i]);
    TRY_VOID(flag->second(arguments[i + 1]));
  }
  if (config.member.empty()) return fail(ErrorKind::kTerminal, "--member or POD_NAME must name this member's pod");
  if (config.pod_uid.empty()) return fail(ErrorKind::kTerminal, "--pod-uid or POD_UID must name this pod's uid");
  return config;
}

std::vector<std::string> server_arguments(const Config& config, std::int64_t server_id) {
  return {defaults_file(config),
          data_directory(config),
          "--socket=" + config.mysqld_socket().string(),
          "--pid-file=" + (config.socket_directory() / "mysqld.pid").string(),
          "--server-id=" + std::to_string(server_id),
          "--read-only=ON",
          "--super-read-only=ON",
          "--skip-replica-start=ON"};
}

std::vector<std::string> initialize_arguments(const Config& config) {
  return {defaults_file(config), data_directory(config), "--initialize-insecure"};
}

}  // namespace baton::sidecar
