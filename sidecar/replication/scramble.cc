#include "sidecar/replication/scramble.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>

#include "engine/base/ensure.h"

namespace baton::replication {
namespace {

Digest keystream(const Digest& digest, const Nonce& nonce) {
  std::array<std::byte, sizeof(Digest) + sizeof(Nonce)> both{};
  std::ranges::copy(nonce, std::ranges::copy(digest, both.begin()).out);
  return sha256(both);
}

}  // namespace

Digest sha256(std::span<const std::byte> bytes) {
  Digest digest{};
  unsigned length = 0;
  ENSURE(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &length, EVP_sha256(),
                    nullptr) == 1 &&
         length == digest.size());
  return digest;
}

Digest password_digest(std::string_view password) { return sha256(sha256(std::as_bytes(std::span(password)))); }

Digest scramble_of(std::string_view password, const Nonce& nonce) {
  const Digest once = sha256(std::as_bytes(std::span(password)));
  Digest scramble = keystream(sha256(once), nonce);
  for (std::size_t i = 0; i < scramble.size(); ++i) scramble[i] ^= once[i];
  return scramble;
}

bool proves(std::span<const std::byte> answer, const Digest& digest, const Nonce& nonce) {
  if (answer.size() != sizeof(Digest)) return false;
  Digest once = keystream(digest, nonce);
  for (std::size_t i = 0; i < once.size(); ++i) once[i] ^= answer[i];
  const Digest twice = sha256(once);
  return CRYPTO_memcmp(twice.data(), digest.data(), digest.size()) == 0;
}

Nonce make_nonce() {
  constexpr unsigned kFirst = '!';
  constexpr unsigned kCount = '~' - '!' + 1;
  Nonce nonce{};
  ENSURE(RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()), static_cast<int>(nonce.size())) == 1);
  for (std::byte& byte : nonce) {
    byte = static_cast<std::byte>(kFirst + std::to_integer<unsigned>(byte) % kCount);
    if (byte == std::byte{'$'}) byte = std::byte{'%'};
  }
  return nonce;
}

}  // namespace baton::replication
