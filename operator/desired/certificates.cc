#include "operator/desired/certificates.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <limits>
#include <memory>
#include <optional>

namespace baton::desired {
namespace {

using std::chrono::sys_seconds;

/// Clocks of nodes differ; a certificate is valid a little before it was made.
constexpr std::chrono::minutes kClockSkew{5};
constexpr int kSerialBits = 127;
constexpr long kX509Version3 = 2;
constexpr std::size_t kMaxCommonName = 64;  // ub-common-name, RFC 5280 appendix A.1

template <auto function>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    function(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

std::unexpected<Error> fail_openssl(std::string_view operation) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return fail(ErrorKind::kTerminal, "{} failed: {}", operation, text.data());
}

Bio reading(std::string_view text) {
  if (text.size() > std::numeric_limits<int>::max()) return nullptr;
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Refuses to ask a terminal for a passphrase when a key turns out to be encrypted.
int no_passphrase(char*, int, int, void*) { return -1; }

Certificate read_certificate(std::string_view pem) {
  const Bio bio = reading(pem);
  Certificate certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  return certificate;
}

Key read_key(std::string_view pem) {
  const Bio bio = reading(pem);
  Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  return key;
}

std::string written(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

Result<CertifiedKey> to_pem(X509* certificate, EVP_PKEY* key) {
  const Bio certificate_bio(BIO_new(BIO_s_mem()));
  const Bio key_bio(BIO_new(BIO_s_mem()));
  if (!certificate_bio || !key_bio || PEM_write_bio_X509(certificate_bio.get(), certificate) != 1 ||
      PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return fail_openssl("writing a certificate");
  }
  return CertifiedKey{written(certificate_bio.get()), written(key_bio.get())};
}

bool put_serial(X509* certificate) {
  const Number serial(BN_new());
  return serial && BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool put_times(X509* certificate, sys_seconds from, sys_seconds until) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), from.time_since_epoch().count()) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), until.time_since_epoch().count()) != nullptr;
}

bool put_subject(X509* certificate, std::string_view common_name) {
  X509_NAME* const name = X509_get_subject_name(certificate);
  const std::string text(common_name.substr(0, kMaxCommonName));
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0) == 1;
}

bool put_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// Everything that all certificates have: version, serial, times, subject and key.
Certificate make_certificate(EVP_PKEY* key, std::string_view common_name, sys_seconds now, std::chrono::days lifetime) {
  Certificate certificate(X509_new());
  const bool made = certificate && X509_set_version(certificate.get(), kX509Version3) == 1 &&
                    put_serial(certificate.get()) && put_times(certificate.get(), now - kClockSkew, now + lifetime) &&
                    put_subject(certificate.get(), common_name) && X509_set_pubkey(certificate.get(), key) == 1;
  return made ? std::move(certificate) : nullptr;
}

std::string alternative_names(std::span<const std::string> dns_names) {
  std::string names;
  for (const std::string& name : dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + name;
  return names;
}

std::optional<sys_seconds> time_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year(fields.tm_year + 1900),
                                        std::chrono::month(static_cast<unsigned>(fields.tm_mon + 1)),
                                        std::chrono::day(static_cast<unsigned>(fields.tm_mday))};
  return std::chrono::sys_days(day) + std::chrono::hours(fields.tm_hour) + std::chrono::minutes(fields.tm_min) +
         std::chrono::seconds(fields.tm_sec);
}

}  // namespace

Result<CertifiedKey> make_authority(const std::string& common_name, sys_seconds now) {
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return fail_openssl("making a key");
  const Certificate certificate = make_certificate(key.get(), common_name, now, kAuthorityLifetime);
  X509* const raw = certificate.get();
  if (raw == nullptr || X509_set_issuer_name(raw, X509_get_subject_name(raw)) != 1 ||
      !put_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !put_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !put_extension(raw, raw, NID_subject_key_identifier, "hash") || X509_sign(raw, key.get(), EVP_sha256()) == 0) {
    return fail_openssl("making a certificate authority");
  }
  return to_pem(raw, key.get());
}

Result<CertifiedKey> issue_certificate(const CertifiedKey& authority, std::span<const std::string> dns_names,
                                       sys_seconds now) {
  const Certificate issuer = read_certificate(authority.certificate);
  const Key issuer_key = read_key(authority.key);
  if (!issuer || !issuer_key) return fail(ErrorKind::kCorrupt, "the certificate authority or its key cannot be read");
  if (dns_names.empty()) return fail(ErrorKind::kTerminal, "a certificate needs at least one name");
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return fail_openssl("making a key");
  const Certificate certificate = make_certificate(key.get(), dns_names.front(), now, kMemberLifetime);
  X509* const raw = certificate.get();
  if (raw == nullptr || X509_set_issuer_name(raw, X509_get_subject_name(issuer.get())) != 1 ||
      !put_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !put_extension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !put_extension(raw, issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth") ||
      !put_extension(raw, issuer.get(), NID_subject_key_identifier, "hash") ||
      !put_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid:always") ||
      !put_extension(raw, issuer.get(), NID_subject_alt_name, alternative_names(dns_names)) ||
      X509_sign(raw, issuer_key.get(), EVP_sha256()) == 0) {
    return fail_openssl("issuing a certificate");
  }
  return to_pem(raw, key.get());
}

bool needs_renewal(std::string_view certificate, sys_seconds now) {
  const Certificate parsed = read_certificate(certificate);
  if (!parsed) return true;
  const auto from = time_of(X509_get0_notBefore(parsed.get()));
  const auto until = time_of(X509_get0_notAfter(parsed.get()));
  return !from || !until || *until - now < (*until - *from) / 3;
}

bool has_ended(std::string_view certificate, sys_seconds now) {
  const Certificate parsed = read_certificate(certificate);
  const auto until = parsed ? time_of(X509_get0_notAfter(parsed.get())) : std::nullopt;
  return !until || *until <= now;
}

bool is_consistent(const CertifiedKey& certified) {
  const Certificate certificate = read_certificate(certified.certificate);
  const Key key = read_key(certified.key);
  const bool consistent = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return consistent;
}

bool is_issued_by(const std::string& authority_certificate, const CertifiedKey& issued) {
  const Certificate authority = read_certificate(authority_certificate);
  const Certificate certificate = read_certificate(issued.certificate);
  if (!authority || !certificate || !is_consistent(issued)) return false;
  const bool verified = X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) == 1;
  ERR_clear_error();
  return verified;
}

Result<std::string> random_text(std::size_t characters) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  // Bytes beyond the last whole multiple would make some characters likelier than others.
  constexpr std::size_t kLimit = 256 - 256 % kAlphabet.size();
  std::string text;
  while (text.size() < characters) {
    std::array<unsigned char, 64> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return fail_openssl("drawing random bytes");
    for (const unsigned char byte : bytes) {
      if (byte < kLimit && text.size() < characters) text += kAlphabet[byte % kAlphabet.size()];
    }
  }
  return text;
}

}  // namespace baton::desired
