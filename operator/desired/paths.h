#pragma once

#include <string_view>

/// Where things lie in a member's containers. Sidecar and gate get them as arguments.
namespace baton::desired {

inline constexpr std::string_view kDataPath = "/var/lib/mysql";  ///< The member's volume.
inline constexpr std::string_view kRunPath = "/run/baton";       ///< Sockets and pid files, shared by the containers.
inline constexpr std::string_view kGatePath = "/baton/bin";      ///< baton-gate, copied from the sidecar's image.
inline constexpr std::string_view kConfigPath = "/etc/baton/config";    ///< The ConfigMap.
inline constexpr std::string_view kSecretsPath = "/etc/baton/secrets";  ///< The Secret, without the CA's key.

/// User and group of sidecar and mysqld, and group of the volume: the mysql user of the common MySQL images. Pinned,
/// because the sidecar signals mysqld and reads its files.
inline constexpr int kUserId = 999;

}  // namespace baton::desired
