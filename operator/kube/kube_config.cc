#include "operator/kube/kube_config.h"

#include <openssl/evp.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

namespace baton::kube {
namespace {

std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

std::string trimmed(std::string text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  text.resize(end == std::string::npos ? 0 : end + 1);
  return text;
}

std::function<std::string()> token_from(std::filesystem::path path) {
  return [path = std::move(path)] { return trimmed(read_file(path).value_or("")); };
}

Result<std::string> from_base64(std::string text) {
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  std::string bytes(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return fail(ErrorKind::kTerminal, "kubeconfig: not base64");
  // EVP_DecodeBlock counts padding as bytes.
  const auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

std::string text_of(const YAML::Node& node, const char* name) {
  const auto value = node[name];
  return value && value.IsScalar() ? value.as<std::string>() : std::string();
}

// NAME-data as base64, or NAME as a path; empty when neither is there.
Result<std::string> material(const YAML::Node& node, const std::string& name, const std::filesystem::path& folder) {
  if (const auto data = text_of(node, (name + "-data").c_str()); !data.empty()) return from_base64(data);
  const auto path = text_of(node, name.c_str());
  if (path.empty()) return std::string();
  auto content = read_file(folder / path);  // An absolute path replaces the folder.
  if (!content) return fail(ErrorKind::kTerminal, "kubeconfig: {} {} cannot be read", name, path);
  return *std::move(content);
}

Result<YAML::Node> named(const YAML::Node& root, const char* list, const std::string& name, const char* content) {
  for (const auto& entry : root[list]) {
    if (text_of(entry, "name") == name && entry[content]) return entry[content];
  }
  return fail(ErrorKind::kTerminal, "kubeconfig: {} holds no '{}'", list, name);
}

Result<void> take_cluster(const YAML::Node& cluster, const std::filesystem::path& folder, HttpClientOptions& http) {
  http.base_url = text_of(cluster, "server");
  if (http.base_url.empty()) return fail(ErrorKind::kTerminal, "kubeconfig: the cluster has no server");
  if (text_of(cluster, "insecure-skip-tls-verify") == "true") {
    return fail(ErrorKind::kTerminal, "kubeconfig: insecure-skip-tls-verify is not supported; name the authority");
  }
  while (http.base_url.ends_with('/')) http.base_url.pop_back();
  http.verify_name = text_of(cluster, "tls-server-name");
  TRY(authority, material(cluster, "certificate-authority", folder));
  http.ca_pem = std::move(authority);
  return {};
}

Result<void> take_user(const YAML::Node& user, const std::filesystem::path& folder, HttpClientOptions& http) {
  for (const char* unsupported : {"exec", "auth-provider", "username", "password"}) {
    if (user[unsupported]) return fail(ErrorKind::kTerminal, "kubeconfig: user.{} is not supported", unsupported);
  }
  TRY(certificate, material(user, "client-certificate", folder));
  TRY(key, material(user, "client-key", folder));
  http.client_certificate_pem = std::move(certificate);
  http.client_key_pem = std::move(key);
  // As in kubectl, a file has precedence over the text.
  if (const auto path = text_of(user, "tokenFile"); !path.empty()) {
    http.token = token_from(folder / path);
  } else if (auto token = text_of(user, "token"); !token.empty()) {
    http.token = [token = std::move(token)] { return token; };
  }
  return {};
}

Result<KubeConfig> from_yaml(const YAML::Node& root, const std::filesystem::path& folder) {
  if (!root.IsMap()) return fail(ErrorKind::kTerminal, "kubeconfig: not a YAML map");
  TRY(context, named(root, "contexts", text_of(root, "current-context"), "context"));
  TRY(cluster, named(root, "clusters", text_of(context, "cluster"), "cluster"));
  TRY(user, named(root, "users", text_of(context, "user"), "user"));
  KubeConfig config{.http = {.base_url = {}}, .space = text_of(context, "namespace")};
  if (config.space.empty()) config.space = "default";
  TRY_VOID(take_cluster(cluster, folder, config.http));
  TRY_VOID(take_user(user, folder, config.http));
  return config;
}

}  // namespace

Result<KubeConfig> in_cluster_config(const std::filesystem::path& folder) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return fail(ErrorKind::kTerminal, "not in a cluster: KUBERNETES_SERVICE_HOST or _PORT is not set");
  }
  if (!read_file(folder / "token")) {
    return fail(ErrorKind::kTerminal, "no service account token in {}", folder.string());
  }
  const std::string name = host;
  KubeConfig config{.http = {.base_url = {}}, .space = {}};
  config.http.base_url =
      name.contains(':') ? std::format("https://[{}]:{}", name, port) : std::format("https://{}:{}", name, port);
  config.http.ca_file = (folder / "ca.crt").string();
  config.http.token = token_from(folder / "token");
  config.space = trimmed(read_file(folder / "namespace").value_or("default"));
  return config;
}

Result<KubeConfig> parse_kubeconfig(const std::string& text, const std::filesystem::path& folder) {
  try {
    return from_yaml(YAML::Load(text), folder);
  } catch (const YAML::Exception& exception) {
    return fail(ErrorKind::kTerminal, "kubeconfig: {}", exception.what());
  }
}

Result<KubeConfig> kubeconfig_file(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text) return fail(ErrorKind::kTerminal, "kubeconfig {} cannot be read", path.string());
  return parse_kubeconfig(*text, path.parent_path());
}

}  // namespace baton::kube
