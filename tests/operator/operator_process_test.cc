#include "operator/operator_process.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <format>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "operator/base/http_cpprest.h"
#include "operator/base/http_listener.h"
#include "tests/operator/shop.h"

namespace baton {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kBound;

const SystemClock kClock;

/// Waits until it holds; false if it never does.
bool eventually(const std::function<bool()>& holds) {
  std::mutex mutex;
  std::condition_variable tick;
  for (const Instant end = kClock.now() + kBound; kClock.now() < end;) {
    if (holds()) return true;
    std::unique_lock lock(mutex);
    tick.wait_for(lock, milliseconds(20));
  }
  return false;
}

/// An API server without any objects, over HTTP. It takes whatever is written, and refuses to list what it is told to.
class EmptyApiServer {
 public:
  EmptyApiServer()
      : listener_(HttpListener::start(
                      {.address = "127.0.0.1"},
                      [this](const std::stop_token&, const HttpRequest& r) { return answer(r); }, Logger())
                      .value()) {}

  [[nodiscard]] kube::KubeConfig config() const {
    return {.http = {.base_url = std::format("http://127.0.0.1:{}", listener_->port())}, .space = "baton"};
  }
  /// Kinds in the plural.
  void refuse(std::set<std::string> kinds) {
    const std::scoped_lock lock(mutex_);
    refused_ = std::move(kinds);
  }
  /// How many watches were begun; each follows a list that was answered.
  [[nodiscard]] std::size_t watches() {
    const std::scoped_lock lock(mutex_);
    return watches_.size();
  }

 private:
  HttpReply answer(const HttpRequest& request) {
    const std::scoped_lock lock(mutex_);
    if (request.method != "GET") {
      Json object = Json::parse(request.body, nullptr, false);
      object["metadata"]["resourceVersion"] = std::to_string(++version_);
      return HttpResponse{.status = 201, .body = object.dump()};
    }
    const std::string path = request.path_and_query.substr(0, request.path_and_query.find('?'));
    const std::string kind = path.substr(path.rfind('/') + 1);
    if (refused_.contains(kind)) return HttpResponse{.status = 503, .body = "{}"};
    if (request.path_and_query.contains("watch=")) return watches_.emplace_back();
    if (!request.path_and_query.contains('?')) return HttpResponse{.status = 404, .body = "{}"};
    return HttpResponse{.body = R"({"metadata": {"resourceVersion": "1"}, "items": []})"};
  }

  std::mutex mutex_;
  std::set<std::string> refused_;
  std::vector<LineStream> watches_;
  int version_ = 1;
  std::unique_ptr<HttpListener> listener_;  // Last: its handlers end before what they use.
};

/// The operator as its program runs it.
class RunningOperator {
 public:
  explicit RunningOperator(const kube::KubeConfig& kube)
      : process_(config_, kube, kClock, Logger()), thread_([this](const std::stop_token& stop) {
          const auto result = process_.run(stop);
          EXPECT_TRUE(result) << result.error().what;
        }) {}

  /// Status and body, "200 ok"; empty while nobody listens.
  [[nodiscard]] std::string health(const std::string& path) const { return get(config_.http_port, path); }
  [[nodiscard]] std::string metrics() const { return get(config_.metrics_port, "/metrics"); }

 private:
  static std::string get(int port, const std::string& path) {
    HttpCpprest client({.base_url = std::format("http://127.0.0.1:{}", port)}, kClock);
    const auto answer = client.send({.deadline = kClock.now() + seconds(5)}, {.path_and_query = path});
    return answer ? std::format("{} {}", answer->status, answer->body) : std::string();
  }
  /// With two ports that are free now.
  static Config free_config() {
    const auto nobody = [](const std::stop_token&, const HttpRequest&) -> HttpReply { return HttpResponse{}; };
    const auto first = HttpListener::start({.address = "127.0.0.1"}, nobody, Logger()).value();
    const auto second = HttpListener::start({.address = "127.0.0.1"}, nobody, Logger()).value();
    Config config;
    config.sidecar_image = "sidecar";
    config.identity = "me";
    config.http_port = first->port();
    config.metrics_port = second->port();
    return config;
  }

  const Config config_ = free_config();
  OperatorProcess process_;
  std::jthread thread_;
};

TEST(OperatorProcessTest, IsReadyOnlyWhenEverythingIsListed) {
  constexpr std::size_t kKinds = 4;
  EmptyApiServer server;
  server.refuse({"mysqlreplicationclusters", "pods", "services", "statefulsets"});
  const RunningOperator running(server.config());
  const std::string not_yet = "503 lists are not complete yet\n";
  ASSERT_TRUE(eventually([&] { return running.health("/readyz") == not_yet; })) << running.health("/readyz");
  EXPECT_EQ(running.health("/healthz"), "200 ok\n") << "it is to be waited for, not restarted";
  server.refuse({"statefulsets"});
  ASSERT_TRUE(eventually([&] { return server.watches() >= kKinds - 1; }));
  EXPECT_EQ(running.health("/readyz"), not_yet);
  EXPECT_TRUE(running.metrics().contains("\nbaton_leader 0\n")) << running.metrics();
  server.refuse({});
  ASSERT_TRUE(eventually([&] { return running.health("/readyz") == "200 ok\n"; })) << running.health("/readyz");
  EXPECT_TRUE(eventually([&] { return running.metrics().contains("\nbaton_leader 1\n"); })) << running.metrics();
}

}  // namespace
}  // namespace baton
