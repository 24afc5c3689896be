#include "operator/kube/kube_config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "operator/kube/resource.h"
#include "tests/kube/certificates.h"

namespace baton::kube {
namespace {

using testing::TemporaryFolder;

constexpr const char* kConfig = R"(
apiVersion: v1
kind: Config
current-context: here
contexts:
- {name: there, context: {cluster: x, user: y}}
- {name: here, context: {cluster: one, user: admin, namespace: db}}
clusters:
- name: one
  cluster: {server: "https://10.0.0.1:6443/", certificate-authority-data: aGVsbG8=, tls-server-name: kube}
users:
- name: admin
  user: {client-certificate: cert.pem, client-key-data: a2V5IQ==, token: secret}
)";

TEST(KubeConfigTest, CurrentContextOfAFile) {
  const TemporaryFolder folder;
  (void)folder.write("cert.pem", "CERT");
  const auto config = kubeconfig_file(folder.write("config", kConfig));
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->http.base_url, "https://10.0.0.1:6443");
  EXPECT_EQ(config->http.ca_pem, "hello");
  EXPECT_EQ(config->http.verify_name, "kube");
  EXPECT_EQ(config->http.client_certificate_pem, "CERT");
  EXPECT_EQ(config->http.client_key_pem, "key!");
  EXPECT_EQ(config->http.token(), "secret");
  EXPECT_EQ(config->space, "db");
}

TEST(KubeConfigTest, WhatCannotBeUsedIsNamed) {
  const auto error_of = [](std::string text, const char* from, const char* to) {
    const auto position = text.find(from);
    EXPECT_NE(position, std::string::npos) << from;
    const auto config = parse_kubeconfig(text.replace(position, std::string_view(from).size(), to), "/nowhere");
    return config ? std::string() : config.error().what;
  };
  EXPECT_NE(error_of(kConfig, "context: here", "context: nowhere").find("nowhere"), std::string::npos);
  EXPECT_NE(error_of(kConfig, "cluster: one", "cluster: two").find("two"), std::string::npos);
  EXPECT_NE(error_of(kConfig, "token: secret", "exec: {command: x}").find("exec"), std::string::npos);
  EXPECT_NE(error_of(kConfig, "tls-server-name: kube", "insecure-skip-tls-verify: true").find("insecure"),
            std::string::npos);
  EXPECT_NE(error_of(kConfig, "aGVsbG8=", "\"%%%\"").find("base64"), std::string::npos);
  EXPECT_NE(error_of(kConfig, "cert.pem", "lost.pem").find("lost.pem"), std::string::npos);
  EXPECT_FALSE(parse_kubeconfig("- a list", "/"));
  EXPECT_FALSE(parse_kubeconfig(": : :\n\t", "/"));
  EXPECT_FALSE(kubeconfig_file("/nowhere/config"));
}

TEST(KubeConfigTest, ServiceAccountTokenIsReadAnew) {
  const TemporaryFolder folder;
  const std::filesystem::path token = folder.write("token", "one\n");
  (void)folder.write("namespace", "db\n");
  ASSERT_EQ(::setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1), 0);
  ASSERT_EQ(::setenv("KUBERNETES_SERVICE_PORT", "443", 1), 0);
  const auto config = in_cluster_config(token.parent_path());
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->http.base_url, "https://[fd00::1]:443");
  EXPECT_EQ(config->space, "db");
  EXPECT_EQ(config->http.token(), "one");
  (void)folder.write("token", "two");
  EXPECT_EQ(config->http.token(), "two");
  ASSERT_EQ(::unsetenv("KUBERNETES_SERVICE_HOST"), 0);
  EXPECT_FALSE(in_cluster_config(token.parent_path()));
}

TEST(ResourceTest, Paths) {
  EXPECT_EQ(object_path(kPods, {"db", "shop-0"}), "/api/v1/namespaces/db/pods/shop-0");
  EXPECT_EQ(object_path(kStatefulSets, {"db", "shop"}, "status"),
            "/apis/apps/v1/namespaces/db/statefulsets/shop/status");
  EXPECT_EQ(object_path(kNodes, {"", "n1"}), "/api/v1/nodes/n1");
  EXPECT_EQ(collection_path(kPods, ""), "/api/v1/pods");
  EXPECT_EQ(percent_encode("a=b,c in (d)/~"), "a%3Db%2Cc%20in%20%28d%29%2F~");
}

}  // namespace
}  // namespace baton::kube
