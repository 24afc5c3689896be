#pragma once

#include <string>

#include "engine/base/result.h"
#include "sidecar/local/config.h"
#include "sidecar/mysql/server_admin.h"

namespace baton::sidecar {

/// One file of the mounted Secret, without line end; read anew each time, so that a rotation needs no restart.
/// Errors: kRetry also for an empty one: it may be on its way.
[[nodiscard]] Result<std::string> read_secret(const Config& config, std::string_view name);
[[nodiscard]] Result<Passwords> read_passwords(const Config& config);

/// The certificate files that mysqld uses (my.cnf names them), one behind the other.
[[nodiscard]] Result<std::string> read_server_certificate(const Config& config);

/// Whether two texts are equal, in a time that tells nothing about where they differ.
[[nodiscard]] bool equal_in_constant_time(std::string_view one, std::string_view other);

}  // namespace baton::sidecar
