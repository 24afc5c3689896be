#pragma once

#include <filesystem>
#include <string>

#include "operator/base/http_cpprest.h"

namespace baton::kube {

/// Where the API server is, whom to trust and who we are.
struct KubeConfig {
  HttpClientOptions http;
  std::string space;  ///< Our own namespace, "default" if nothing says.
};

/// What every container with a service account finds: the folder's files and KUBERNETES_SERVICE_HOST and _PORT. The
/// token is read anew for each request, since kubelet replaces it. Fails with kTerminal.
[[nodiscard]] Result<KubeConfig> in_cluster_config(
    const std::filesystem::path& folder = "/var/run/secrets/kubernetes.io/serviceaccount");

/// The current context of a kubeconfig file: certificate-authority, client certificate and key, token (each also as
/// -data or file), tls-server-name. Fails with kTerminal; what needs a helper program (exec, auth-provider) or turns
/// verification off is refused by name.
[[nodiscard]] Result<KubeConfig> kubeconfig_file(const std::filesystem::path& path);
/// The same from text; relative paths in it begin at `folder`.
[[nodiscard]] Result<KubeConfig> parse_kubeconfig(const std::string& text, const std::filesystem::path& folder);

}  // namespace baton::kube
