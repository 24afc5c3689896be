#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "operator/api/mysql_cluster.h"

namespace baton::desired {

/// A Secret's content, decoded, by key.
using SecretData = std::map<std::string, std::string>;

// Keys of the Secret <name>-baton, and the names of the mounted files. Sidecars have <pod>.crt and <pod>.key besides.
inline constexpr const char* kAuthorityCertificateFile = "ca.crt";
inline constexpr const char* kAuthorityKeyFile = "ca.key";  ///< Never mounted.
/// mysqld's own: one for all members, because they share one my.cnf; clients know the Services by name, not the
/// members.
inline constexpr const char* kServerCertificateFile = "mysqld.crt";
inline constexpr const char* kServerKeyFile = "mysqld.key";
inline constexpr const char* kTokenFile = "token";  ///< Bearer token of the sidecars' API.
inline constexpr const char* kReplicationPasswordFile = "replication-password";
inline constexpr const char* kClonePasswordFile = "clone-password";
inline constexpr const char* kAppPasswordFile = "app-password";

/// The keys of <name>-baton that members mount: all but the CA's key. Certificates of all nine possible members, so
/// that the pod template does not change with `replicas`.
[[nodiscard]] std::vector<std::string> mounted_files(const api::Names& names);

/// The content that <name>-baton should have. What `existing` holds is kept; what is missing, unreadable or near its
/// end is made (so this function is not pure: keys and passwords are random). The CA is kept as long as it can be read
/// and has not ended; with a new CA all certificates are new. A password found in `existing_app` (Secret <name>-app,
/// left over, or made by a person who put the cluster's label on it) becomes the application's if <name>-baton has
/// none. Keys that Baton does not know are dropped. Errors: those of certificates.h.
[[nodiscard]] Result<SecretData> baton_secret_data(const api::Cluster& cluster, const SecretData& existing,
                                                   const SecretData& existing_app, std::chrono::sys_seconds now);

/// The Secret <name>-baton with this content.
[[nodiscard]] api::Json baton_secret(const api::Cluster& cluster, const SecretData& data);

/// The Secret <name>-app: host, port, database, user, password. `baton_data`: content of <name>-baton, complete.
[[nodiscard]] api::Json app_secret(const api::Cluster& cluster, const SecretData& baton_data);

/// The content of a Secret as read from the API server. Errors: kCorrupt, with the key that is not base64.
[[nodiscard]] Result<SecretData> secret_data(const api::Json& secret);

}  // namespace baton::desired
