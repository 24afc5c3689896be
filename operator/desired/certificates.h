#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.h"

/// X.509 certificates for one cluster: EC P-256 keys, SHA-256 signatures, PEM (PKCS #8 for keys), made with OpenSSL.
/// All functions are thread-safe. Time comes in as an argument.
namespace baton::desired {

/// A certificate and its private key, both PEM.
struct CertifiedKey {
  std::string certificate;
  std::string key;
};

inline constexpr std::chrono::days kAuthorityLifetime{3650};
inline constexpr std::chrono::days kMemberLifetime{365};

/// A self-signed CA that may sign end certificates only (pathlen 0). `common_name`: at most 64 characters.
/// Errors: kTerminal, OpenSSL's own text.
[[nodiscard]] Result<CertifiedKey> make_authority(const std::string& common_name, std::chrono::sys_seconds now);

/// A certificate for both ends of TLS whose subject alternative names are dns_names (at least one; the first is the
/// common name). Errors: kCorrupt if the authority cannot be read, kTerminal with OpenSSL's own text.
[[nodiscard]] Result<CertifiedKey> issue_certificate(const CertifiedKey& authority,
                                                     std::span<const std::string> dns_names,
                                                     std::chrono::sys_seconds now);

/// Whether less than a third of the certificate's life is left, or it cannot be read.
[[nodiscard]] bool needs_renewal(std::string_view certificate, std::chrono::sys_seconds now);

/// Whether the certificate is over, or cannot be read.
[[nodiscard]] bool has_ended(std::string_view certificate, std::chrono::sys_seconds now);

/// Whether the certificate carries a valid signature of the authority and belongs to `key`.
[[nodiscard]] bool is_issued_by(const std::string& authority_certificate, const CertifiedKey& issued);

/// Whether both parts can be read and belong together.
[[nodiscard]] bool is_consistent(const CertifiedKey& certified);

/// Letters and digits from OpenSSL's random generator, 5.95 bits each. Errors: kTerminal if it has no entropy.
[[nodiscard]] Result<std::string> random_text(std::size_t characters);

}  // namespace baton::desired
