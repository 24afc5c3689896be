#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "operator/base/log.h"

namespace baton {

/// How the operator is to run. Set by flags; --config names a YAML file whose keys are the flags' names without dashes
/// in front (`metrics-port: 8081`). A flag given on the command line wins over the file.
struct Config {
  std::string sidecar_image;                         ///< --sidecar-image; required.
  std::string sidecar_pull_policy = "IfNotPresent";  ///< --sidecar-image-pull-policy
  std::vector<std::string> namespaces;               ///< --namespaces=a,b; empty: all.
  std::string lease_namespace;                       ///< --lease-namespace; empty: our own.
  std::string lease_name = "baton-operator";         ///< --lease-name
  std::string identity;                              ///< --identity; empty: "baton-operator". A random part is added.
  std::uint16_t http_port = 8080;                    ///< --http-port: /healthz, /readyz.
  std::uint16_t metrics_port = 8081;                 ///< --metrics-port: /metrics.
  std::string kubeconfig;                            ///< --kubeconfig; empty: the pod's service account.
  LogLevel log_level = LogLevel::kInfo;              ///< --log-level debug | info | warn | error
  int workers = 4;                                   ///< --workers: clusters looked at side by side, 1 … 64.
};

/// Reads flags (without the program's name), `--name=value` or `--name value`, and the file if one is named. Errors:
/// kTerminal, naming the flag.
[[nodiscard]] Result<Config> parse_config(std::span<const std::string> arguments);

/// What --help prints.
[[nodiscard]] std::string config_help();

}  // namespace baton
