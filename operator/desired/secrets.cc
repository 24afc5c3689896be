#include "operator/desired/secrets.h"

#include <openssl/evp.h>

#include <format>
#include <optional>
#include <span>
#include <utility>

#include "operator/desired/certificates.h"
#include "operator/desired/metadata.h"

namespace baton::desired {
namespace {

constexpr std::size_t kTokenCharacters = 43;  // 256 bits
constexpr std::size_t kPasswordCharacters = 32;

std::string encode(const std::string& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> decode(const std::string& text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes(text.size() / 4 * 3 + 1, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  // EVP_DecodeBlock counts padding as bytes.
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

std::string value_of(const SecretData& data, const std::string& key) {
  const auto found = data.find(key);
  return found == data.end() ? std::string() : found->second;
}

std::string certificate_file(const std::string& pod) { return pod + ".crt"; }
std::string key_file(const std::string& pod) { return pod + ".key"; }

std::string in_namespace(const Cluster& cluster, const std::string& host) {
  return std::format("{}.{}.svc", host, cluster.name_space);
}

/// The names of a sidecar. It is dialled by address and verified by CA and pod name.
std::vector<std::string> sidecar_names(const Cluster& cluster, const std::string& pod) {
  return {pod, in_namespace(cluster, std::format("{}.{}", pod, cluster.names().members_service())), "localhost"};
}

/// The names under which clients know the members' mysqld.
std::vector<std::string> server_names(const Cluster& cluster) {
  const api::Names names = cluster.names();
  std::vector<std::string> result;
  for (const std::string& service : {names.primary_service(), names.replicas_service()}) {
    result.push_back(service);
    result.push_back(std::format("{}.{}", service, cluster.name_space));
    result.push_back(in_namespace(cluster, service));
    result.push_back(in_namespace(cluster, service) + ".cluster.local");
  }
  result.push_back("*." + in_namespace(cluster, names.members_service()));
  result.emplace_back("localhost");
  return result;
}

/// The existing CA, or a new one when it is missing, unreadable or over. It is not renewed before: members would not
/// trust each other until all mounts had caught up.
Result<CertifiedKey> authority_for(const Cluster& cluster, const SecretData& existing, std::chrono::sys_seconds now) {
  CertifiedKey authority{value_of(existing, kAuthorityCertificateFile), value_of(existing, kAuthorityKeyFile)};
  if (is_consistent(authority) && !has_ended(authority.certificate, now)) return authority;
  return make_authority(std::format("baton {}", cluster.name), now);
}

/// Puts a certificate and its key, new if the existing one will not do.
Result<void> put_certificate(const std::string& file, const std::string& key_file, const SecretData& existing,
                             const CertifiedKey& authority, std::span<const std::string> dns_names,
                             std::chrono::sys_seconds now, SecretData& data) {
  CertifiedKey certified{value_of(existing, file), value_of(existing, key_file)};
  if (needs_renewal(certified.certificate, now) || !is_issued_by(authority.certificate, certified)) {
    TRY(issued, issue_certificate(authority, dns_names, now));
    certified = std::move(issued);
  }
  data[file] = std::move(certified.certificate);
  data[key_file] = std::move(certified.key);
  return {};
}

Result<void> put_certificates(const Cluster& cluster, const SecretData& existing, std::chrono::sys_seconds now,
                              SecretData& data) {
  TRY(authority, authority_for(cluster, existing, now));
  for (int ordinal = 0; ordinal < api::kMaxMembers; ++ordinal) {
    const std::string pod = cluster.names().pod(Ordinal{ordinal});
    TRY_VOID(put_certificate(certificate_file(pod), key_file(pod), existing, authority, sidecar_names(cluster, pod),
                             now, data));
  }
  TRY_VOID(
      put_certificate(kServerCertificateFile, kServerKeyFile, existing, authority, server_names(cluster), now, data));
  data[kAuthorityCertificateFile] = std::move(authority.certificate);
  data[kAuthorityKeyFile] = std::move(authority.key);
  return {};
}

/// Puts `found`, or random text if it is empty.
Result<void> put_text(const std::string& key, std::string found, std::size_t characters, SecretData& data) {
  if (found.empty()) {
    TRY(made, random_text(characters));
    found = std::move(made);
  }
  data[key] = std::move(found);
  return {};
}

Json secret(const Cluster& cluster, const std::string& name, const SecretData& data) {
  Json encoded = Json::object();
  for (const auto& [key, value] : data) encoded[key] = encode(value);
  return {
      {"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", owned_metadata(cluster, name)},
      {"type", "Opaque"},   {"data", encoded},
  };
}

}  // namespace

std::vector<std::string> mounted_files(const api::Names& names) {
  std::vector<std::string> files = {kAuthorityCertificateFile, kServerCertificateFile, kServerKeyFile,  kTokenFile,
                                    kReplicationPasswordFile,  kClonePasswordFile,     kAppPasswordFile};
  for (int ordinal = 0; ordinal < api::kMaxMembers; ++ordinal) {
    files.push_back(certificate_file(names.pod(Ordinal{ordinal})));
    files.push_back(key_file(names.pod(Ordinal{ordinal})));
  }
  return files;
}

Result<SecretData> baton_secret_data(const Cluster& cluster, const SecretData& existing, const SecretData& existing_app,
                                     std::chrono::sys_seconds now) {
  SecretData data;
  TRY_VOID(put_certificates(cluster, existing, now, data));
  TRY_VOID(put_text(kTokenFile, value_of(existing, kTokenFile), kTokenCharacters, data));
  for (const char* const key : {kReplicationPasswordFile, kClonePasswordFile}) {
    TRY_VOID(put_text(key, value_of(existing, key), kPasswordCharacters, data));
  }
  std::string app_password = value_of(existing, kAppPasswordFile);
  if (app_password.empty()) app_password = value_of(existing_app, "password");
  TRY_VOID(put_text(kAppPasswordFile, std::move(app_password), kPasswordCharacters, data));
  return data;
}

Json baton_secret(const Cluster& cluster, const SecretData& data) {
  return secret(cluster, cluster.names().baton_secret(), data);
}

Json app_secret(const Cluster& cluster, const SecretData& baton_data) {
  const api::Bootstrap& bootstrap = cluster.spec.bootstrap;
  return secret(cluster, cluster.names().app_secret(),
                {{"host", in_namespace(cluster, cluster.names().primary_service())},
                 {"port", std::to_string(api::kMysqlPort)},
                 {"database", bootstrap.database},
                 {"user", bootstrap.user},
                 {"password", value_of(baton_data, kAppPasswordFile)}});
}

Result<SecretData> secret_data(const Json& secret) {
  SecretData data;
  const auto encoded = secret.find("data");
  if (encoded == secret.end() || encoded->is_null()) return data;
  for (const auto& [key, value] : encoded->items()) {
    std::optional<std::string> bytes = value.is_string() ? decode(value.get<std::string>()) : std::nullopt;
    if (!bytes) return fail(ErrorKind::kCorrupt, "the value of key '{}' in a Secret is not base64", key);
    data.emplace(key, *std::move(bytes));
  }
  return data;
}

}  // namespace baton::desired
