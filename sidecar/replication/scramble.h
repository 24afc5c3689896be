#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace baton::replication {

/// caching_sha2_password's fast path (sql/auth/sha2_password.cc, sql/auth/sha2_password_common.cc;
/// "Caching_sha2_password information" in the server's source documentation). The server needs only
/// SHA256(SHA256(password)):
///
///   client sends  X = SHA256(password) XOR SHA256(SHA256(SHA256(password)) nonce)
///
/// so that X XOR SHA256(digest nonce) is SHA256(password), whose SHA256 is the digest.
using Digest = std::array<std::byte, 32>;

/// Fresh for each connection: printable, neither NUL nor '$', which old clients take for an end.
using Nonce = std::array<std::byte, 20>;

[[nodiscard]] Digest sha256(std::span<const std::byte> bytes);
/// SHA256(SHA256(password)): what is kept of a password.
[[nodiscard]] Digest password_digest(std::string_view password);
/// What a client sends for a password and a nonce.
[[nodiscard]] Digest scramble_of(std::string_view password, const Nonce& nonce);
/// Whether `answer` proves knowledge of the password behind `digest`. The time it takes tells nothing.
[[nodiscard]] bool proves(std::span<const std::byte> answer, const Digest& digest, const Nonce& nonce);
/// From the system's randomness.
[[nodiscard]] Nonce make_nonce();

}  // namespace baton::replication
