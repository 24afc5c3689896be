#include "operator/config/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string_view>

namespace baton {
namespace {

constexpr int kMaxPort = 65535;
constexpr int kMaxWorkers = 64;

Result<int> number(std::string_view name, const std::string& text, int lowest, int highest) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < lowest || value > highest) {
    return fail(ErrorKind::kTerminal, "--{} must be a number from {} to {}, not '{}'", name, lowest, highest, text);
  }
  return value;
}

std::vector<std::string> parts(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    if (!part.empty()) result.emplace_back(part);
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  }
  return result;
}

Result<LogLevel> log_level(const std::string& text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warn") return LogLevel::kWarn;
  if (text == "error") return LogLevel::kError;
  return fail(ErrorKind::kTerminal, "--log-level must be debug, info, warn or error, not '{}'", text);
}

struct Flag {
  std::string_view name;
  std::string_view help;
  Result<void> (*set)(Config&, const std::string&);
};

Result<void> set_text(std::string& field, const std::string& text) {
  field = text;
  return {};
}

Result<void> set_port(std::uint16_t& field, std::string_view name, const std::string& text) {
  TRY(port, number(name, text, 1, kMaxPort));
  field = static_cast<std::uint16_t>(port);
  return {};
}

constexpr auto kFlags = std::to_array<Flag>({
    {"sidecar-image", "image of the members' sidecar (required)",
     [](Config& c, const std::string& t) { return set_text(c.sidecar_image, t); }},
    {"sidecar-image-pull-policy", "Always, IfNotPresent or Never",
     [](Config& c, const std::string& t) { return set_text(c.sidecar_pull_policy, t); }},
    {"namespaces", "namespaces to manage, separated by commas; all if empty",
     [](Config& c, const std::string& t) -> Result<void> {
       c.namespaces = parts(t);
       return {};
     }},
    {"lease-namespace", "namespace of the Lease; our own if empty",
     [](Config& c, const std::string& t) { return set_text(c.lease_namespace, t); }},
    {"lease-name", "name of the Lease", [](Config& c, const std::string& t) { return set_text(c.lease_name, t); }},
    {"identity", "name of this process in the Lease, to which a random part is added; baton-operator if empty",
     [](Config& c, const std::string& t) { return set_text(c.identity, t); }},
    {"http-port", "port of /healthz and /readyz",
     [](Config& c, const std::string& t) { return set_port(c.http_port, "http-port", t); }},
    {"metrics-port", "port of /metrics",
     [](Config& c, const std::string& t) { return set_port(c.metrics_port, "metrics-port", t); }},
    {"kubeconfig", "file that says where the API server is; the pod's service account if empty",
     [](Config& c, const std::string& t) { return set_text(c.kubeconfig, t); }},
    {"log-level", "debug, info, warn or error",
     [](Config& c, const std::string& t) -> Result<void> {
       TRY(level, log_level(t));
       c.log_level = level;
       return {};
     }},
    {"workers", "clusters looked at side by side",
     [](Config& c, const std::string& t) -> Result<void> {
       TRY(count, number("workers", t, 1, kMaxWorkers));
       c.workers = count;
       return {};
     }},
});

using Settings = std::map<std::string, std::string>;

Result<Settings> settings_of(std::span<const std::string> arguments) {
  Settings settings;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with("--")) return fail(ErrorKind::kTerminal, "'{}' is not a flag", argument);
    const auto equals = argument.find('=');
    if (equals != std::string::npos) {
      settings[argument.substr(2, equals - 2)] = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      settings[argument.substr(2)] = arguments[i + 1];
      ++i;
    } else {
      return fail(ErrorKind::kTerminal, "{} needs a value", argument);
    }
  }
  return settings;
}

Result<Settings> settings_of_file(const std::string& path) {
  Settings settings;
  try {
    const YAML::Node file = YAML::LoadFile(path);
    if (!file.IsMap()) return fail(ErrorKind::kTerminal, "{} is not a YAML map", path);
    for (const auto& entry : file) settings[entry.first.as<std::string>()] = entry.second.as<std::string>();
  } catch (const YAML::Exception& e) {
    return fail(ErrorKind::kTerminal, "{}: {}", path, e.what());
  }
  return settings;
}

}  // namespace

Result<Config> parse_config(std::span<const std::string> arguments) {
  TRY(settings, settings_of(arguments));
  if (const auto file = settings.extract("config"); !file.empty()) {
    TRY(more, settings_of_file(file.mapped()));
    settings.merge(more);  // Keeps what is there.
  }
  Config config;
  for (const auto& [name, value] : settings) {
    const auto* const flag = std::ranges::find(kFlags, name, &Flag::name);
    if (flag == kFlags.end()) return fail(ErrorKind::kTerminal, "unknown flag --{}", name);
    TRY_VOID(flag->set(config, value));
  }
  if (config.sidecar_image.empty()) return fail(ErrorKind::kTerminal, "--sidecar-image is required");
  return config;
}

std::string config_help() {
  std::string help = "baton-operator --sidecar-image=IMAGE [flags]\n  --config: YAML file with flags as keys\n";
  for (const Flag& flag : kFlags) help += std::format("  --{}: {}\n", flag.name, flag.help);
  return help;
}

}  // namespace baton
