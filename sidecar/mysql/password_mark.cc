#include "sidecar/mysql/password_mark.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <format>

#include "engine/base/ensure.h"

namespace baton::sidecar {
namespace {

constexpr int kRounds = 5000;
constexpr std::size_t kSaltDigits = 32;
constexpr std::size_t kDigestBytes = 32;

template <std::size_t kSize>
std::string digits_of(const std::array<unsigned char, kSize>& bytes) {
  std::string digits;
  for (const unsigned char byte : bytes) digits += std::format("{:02x}", byte);
  return digits;
}

/// The salt is taken as its digits are.
std::string mark_with(std::string_view salt, std::string_view password) {
  std::array<unsigned char, kDigestBytes> digest{};
  ENSURE(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                           reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()), kRounds,
                           EVP_sha256(), static_cast<int>(digest.size()), digest.data()) == 1);
  return std::format("{}:{}", salt, digits_of(digest));
}

}  // namespace

std::string password_mark(std::string_view password) {
  std::array<unsigned char, kSaltDigits / 2> salt{};
  ENSURE(RAND_bytes(salt.data(), static_cast<int>(salt.size())) == 1);
  return mark_with(digits_of(salt), password);
}

bool is_mark_of(std::string_view mark, std::string_view password) {
  const std::string_view salt = mark.substr(0, mark.find(':'));
  if (salt.size() != kSaltDigits) return false;
  const std::string wanted = mark_with(salt, password);
  return wanted.size() == mark.size() && CRYPTO_memcmp(wanted.data(), mark.data(), mark.size()) == 0;
}

}  // namespace baton::sidecar
