#include "operator/kube/informer.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace baton::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kBound = seconds(10);  // No test waits so long unless it fails.

/// The pods of an API server that remembers its history from some version on. Its watches bring no events, and end when
/// a test says so.
class FakePods final : public HttpPort {
 public:
  Result<HttpResponse> send(const Context&, HttpRequest) override {
    const std::scoped_lock lock(mutex_);
    ++lists_;
    Json list{{"metadata", {{"resourceVersion", std::to_string(version_)}}}, {"items", Json::array()}};
    for (const std::string& name : pods_) {
      list["items"].push_back({{"metadata", {{"namespace", "db"}, {"name", name}, {"resourceVersion", "1"}}}});
    }
    return HttpResponse{.body = list.dump()};
  }
  Result<void> stream_lines(const Context& context, HttpRequest request,
                            std::function<bool(std::string_view)> on_line) override {
    constexpr std::string_view kFrom = "resourceVersion=";
    const std::string& asked = request.path_and_query;
    const int from = std::stoi(asked.substr(asked.find(kFrom) + kFrom.size()));
    std::unique_lock lock(mutex_);
    if (from < oldest_) return fail(kind_of_status(410), "too old resource version: {} ({})", from, oldest_);
    ++watches_;
    changed_.notify_all();
    const int ends = ends_;
    if (!changed_.wait(lock, context.stop, [&] { return ends_ != ends; })) return {};
    if (broken_) return fail(ErrorKind::kRetry, "connection lost");
    const Json bookmark{{"type", "BOOKMARK"},
                        {"object", {{"metadata", {{"resourceVersion", std::to_string(version_)}}}}}};
    if (asked.contains("allowWatchBookmarks=true")) on_line(bookmark.dump());
    return {};
  }

  /// Counts those that were not refused.
  bool wait_for_watches(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kBound, [&] { return watches_ >= count; });
  }
  /// Others write a lot, what was before is forgotten, and watches come to their end.
  void pass_time() {
    const std::scoped_lock lock(mutex_);
    forget_and_end(false);
  }
  /// The same while the connection is lost, so that nobody is told of a new pod.
  void break_off(const std::string& new_pod) {
    const std::scoped_lock lock(mutex_);
    pods_.push_back(new_pod);
    forget_and_end(true);
  }
  int lists() {
    const std::scoped_lock lock(mutex_);
    return lists_;
  }

 private:
  void forget_and_end(bool broken) {
    version_ += 100;
    oldest_ = version_;
    broken_ = broken;
    ++ends_;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::string> pods_ = {"shop-0"};
  int version_ = 100;
  int oldest_ = 1;
  int lists_ = 0;
  int watches_ = 0;
  int ends_ = 0;
  bool broken_ = false;  ///< How the last watch ended.
};

enum class Trouble : std::uint8_t { kListsRefused, kWatchesRefused, kWatchesEndAtOnce, kHistoryAlwaysGone };

/// An API server in trouble, which answers each request at once.
class TroubledServer final : public HttpPort {
 public:
  explicit TroubledServer(Trouble trouble) : trouble_(trouble) {}

  Result<HttpResponse> send(const Context&, HttpRequest) override {
    if (trouble_ == Trouble::kListsRefused) {
      count();
      return HttpResponse{.status = 503, .body = "{}"};
    }
    return HttpResponse{.body = R"({"metadata": {"resourceVersion": "1"}, "items": []})"};
  }
  Result<void> stream_lines(const Context&, HttpRequest, std::function<bool(std::string_view)>) override {
    count();
    if (trouble_ == Trouble::kWatchesRefused) return fail(ErrorKind::kRetry, "no connection");
    if (trouble_ == Trouble::kHistoryAlwaysGone) return fail(kind_of_status(410), "too old resource version");
    return {};
  }
  bool wait_for_requests(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kBound, [&] { return requests_ >= count; });
  }

 private:
  void count() {
    const std::scoped_lock lock(mutex_);
    ++requests_;
    changed_.notify_all();
  }

  const Trouble trouble_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int requests_ = 0;
};

class InformerTest : public ::testing::Test {
 protected:
  const SystemClock clock_;
  FakePods server_;
  KubeClient client_{server_, server_};
  Informer informer_{client_,
                     clock_,
                     Logger(),
                     {.type = kPods, .backoff_first = milliseconds(1), .backoff_limit = milliseconds(10)},
                     [](const Change&) {}};
};

TEST_F(InformerTest, AHistoryThatIsGoneIsListedAnew) {
  ASSERT_TRUE(server_.wait_for_watches(1));
  server_.break_off("shop-1");
  ASSERT_TRUE(server_.wait_for_watches(2));
  EXPECT_NE(informer_.store().get({"db", "shop-1"}), nullptr);
  EXPECT_EQ(server_.lists(), 2);
}

TEST_F(InformerTest, ABookmarkKeepsTheVersionOfAQuietWatchYoung) {
  ASSERT_TRUE(server_.wait_for_watches(1));
  server_.pass_time();
  ASSERT_TRUE(server_.wait_for_watches(2));
  EXPECT_EQ(server_.lists(), 1) << "nothing was missed";
}

/// Six requests have five waits between them, each of at least half of what it is before chance shortens it. A loaded
/// machine only makes them longer.
TEST(InformerBackoff, AServerInTroubleIsAskedLessAndLessOften) {
  constexpr std::array kTroubles = {Trouble::kListsRefused, Trouble::kWatchesRefused, Trouble::kWatchesEndAtOnce,
                                    Trouble::kHistoryAlwaysGone};
  constexpr auto kLeast = milliseconds((20 + 40 + 80 + 160 + 320) / 2);
  for (const Trouble trouble : kTroubles) {
    SCOPED_TRACE(static_cast<int>(trouble));
    TroubledServer server(trouble);
    KubeClient client(server, server);
    const SystemClock clock;
    const auto begun = std::chrono::steady_clock::now();
    const Informer informer(client, clock, Logger(),
                            {.type = kPods, .backoff_first = milliseconds(20), .backoff_limit = seconds(10)},
                            [](const Change&) {});
    ASSERT_TRUE(server.wait_for_requests(6)) << "but it is asked again and again";
    EXPECT_GE(std::chrono::steady_clock::now() - begun, kLeast);
    EXPECT_EQ(informer.synced(), trouble != Trouble::kListsRefused);
  }
}

}  // namespace
}  // namespace baton::kube
