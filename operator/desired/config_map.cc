#include "operator/desired/config_map.h"

#include <filesystem>

#include "operator/desired/metadata.h"
#include "operator/desired/paths.h"
#include "operator/desired/secrets.h"
#include "sidecar/mysql/pinned.h"

namespace baton::desired {

Result<Json> config_map(const Cluster& cluster) {
  const std::filesystem::path secrets = kSecretsPath;
  const mysql::MyCnf options{
      .ca = secrets / kAuthorityCertificateFile,
      .certificate = secrets / kServerCertificateFile,
      .key = secrets / kServerKeyFile,
      .port = api::kMysqlPort,
      .strict_relay_log = cluster.spec.relay_log_durability == api::RelayLogDurability::kStrict,
  };
  auto text = mysql::render_my_cnf(cluster.spec.mysql_config, options);
  if (!text) return wrap("spec.mysql.config", std::move(text).error());
  return Json{
      {"apiVersion", "v1"},
      {"kind", "ConfigMap"},
      {"metadata", owned_metadata(cluster, cluster.names().config_map())},
      {"data", {{"my.cnf", *std::move(text)}}},
  };
}

}  // namespace baton::desired
