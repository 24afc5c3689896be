#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "operator/base/http_listener.h"
#include "operator/desired/certificates.h"
#include "operator/sidecars/sidecar_client.h"
#include "operator/sidecars/sidecar_links.h"
#include "tests/operator/shop.h"

namespace baton {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kBound;
using test::kShop;

/// What a sidecar answers, over real TLS; its mysqld is told to die by a fence.
class HttpsSidecar {
 public:
  HttpsSidecar() {
    const auto now = std::chrono::floor<seconds>(SystemClock().wall());
    authority_ = desired::make_authority("shop", now).value();
    const std::array<std::string, 1> names = {"shop-0"};
    const auto member = desired::issue_certificate(authority_, names, now).value();
    write("tls.crt", member.certificate);
    write("tls.key", member.key);
    HttpListenerOptions options{.address = "127.0.0.1"};
    options.certificate_file = folder_ / "tls.crt";
    options.key_file = folder_ / "tls.key";
    listener_ = HttpListener::start(
                    options, [this](const std::stop_token&, const HttpRequest& r) { return answer(r); }, Logger())
                    .value();
  }
  ~HttpsSidecar() {
    listener_.reset();
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] int port() const { return listener_->port(); }
  [[nodiscard]] std::string authority() const { return authority_.certificate; }
  [[nodiscard]] static SidecarAddress address() {
    return {
        .cluster = kShop, .ordinal = Ordinal(0), .pod = "shop-0", .pod_uid = PodUid("pod-uid"), .address = "127.0.0.1"};
  }
  void take_token(const std::string& token) {
    const std::scoped_lock lock(mutex_);
    token_ = token;
  }
  /// A line like the one before, on every stream.
  void say_again() {
    const std::scoped_lock lock(mutex_);
    ++state_.sequence;
    std::erase_if(streams_, [&](const LineStream& stream) { return !stream.write_line(wire::to_line(state_)); });
  }
  [[nodiscard]] std::size_t streams() {
    const std::scoped_lock lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(streams_, [](const auto& s) { return !s.closed(); }));
  }
  void end_streams() {
    const std::scoped_lock lock(mutex_);
    for (const auto& stream : streams_) stream.close();
  }

 private:
  void write(const char* name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  HttpReply answer(const HttpRequest& request) {
    const auto token = request.headers.find("authorization");
    const std::scoped_lock lock(mutex_);
    if (token == request.headers.end() || token->second != "Bearer " + token_) {
      return HttpResponse{.status = 401, .body = "a bearer token is needed\n", .content_type = "text/plain"};
    }
    if (request.path_and_query == "/v1/state") {
      LineStream stream;
      streams_.push_back(stream);
      ++state_.sequence;
      stream.write_line(wire::to_line(state_));
      return stream;
    }
    const auto order = wire::parse_order(request.body);
    if (!order) return HttpResponse{.status = 400};
    if (std::holds_alternative<wire::Fence>(order->command)) state_.process = wire::Process::kNotRunning;
    ++state_.sequence;
    if (order->revision == 0) {
      return HttpResponse{.status = 409,
                          .body = wire::to_json_text(wire::OrderResult{"Unsafe", "revision 9 is held", state_})};
    }
    return HttpResponse{.body = wire::to_json_text(wire::OrderResult{.state = state_})};
  }

  const std::filesystem::path folder_ = [] {
    std::string name = std::filesystem::temp_directory_path() / "baton-sidecar-XXXXXX";
    return std::filesystem::path(::mkdtemp(name.data()));
  }();
  desired::CertifiedKey authority_;
  std::mutex mutex_;
  std::string token_ = "secret";
  std::vector<LineStream> streams_;
  wire::MemberState state_ = [] {
    wire::MemberState state{.member = "shop-0", .pod_uid = "pod-uid", .boot_id = "boot", .sidecar_id = "a"};
    state.uuid = "00000000-0000-0000-0000-000000000000";
    state.process = wire::Process::kRunning;
    return state;
  }();
  std::unique_ptr<HttpListener> listener_;
};

class SidecarHttpsTest : public ::testing::Test {
 protected:
  bool wait_for_news(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kBound, [&] { return news_ >= count; });
  }

  /// Lets the sidecar speak until it holds.
  bool lines_until(const std::function<bool()>& condition) {
    for (const Instant end = clock_.now() + kBound; clock_.now() < end;) {
      if (condition()) return true;
      sidecar_.say_again();
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, milliseconds(20));
    }
    return false;
  }
  /// What the operator reads in the Secret from now on.
  void know_tokens(const std::string& token, const std::string& earlier) {
    const std::scoped_lock lock(mutex_);
    token_ = token;
    earlier_token_ = earlier;
  }
  SidecarCredentials credentials() {
    const std::scoped_lock lock(mutex_);
    return {.authority_pem = sidecar_.authority(), .token = token_, .earlier_token = earlier_token_};
  }

  SystemClock clock_;
  HttpsSidecar sidecar_;
  SidecarBook book_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int news_ = 0;
  std::string token_ = "secret";
  std::string earlier_token_;
  SidecarLinks links_{book_,
                      clock_,
                      connect_by_https(clock_, sidecar_.port(), kBound),
                      [this](const ClusterKey&) { return std::optional(credentials()); },
                      [this](const ClusterKey&, Duration) {
                        const std::scoped_lock lock(mutex_);
                        ++news_;
                        changed_.notify_all();
                      },
                      Logger()};
  SidecarClient client_{connect_by_https(clock_, sidecar_.port(), kBound),
                        [this](const ClusterKey&) { return std::optional(credentials()); }};

  wire::Order order(wire::Command command, std::int64_t revision = 1) const {
    return {.epoch = 1, .revision = revision, .member = "shop-0", .pod_uid = "pod-uid", .command = std::move(command)};
  }
  Context context() const { return {.deadline = clock_.now() + kBound}; }
};

TEST_F(SidecarHttpsTest, TheStreamFillsTheBookAndBeginsAgainWhenItEnds) {
  links_.want(kShop, {HttpsSidecar::address()});
  ASSERT_TRUE(wait_for_news(1));
  ASSERT_EQ(book_.entries(kShop, clock_.now()).size(), 1U);
  const Instant first = book_.entries(kShop, clock_.now()).front().heard_at;
  sidecar_.end_streams();
  // Nothing changed, so that only the time tells that it was heard again.
  for (const Instant end = clock_.now() + kBound; clock_.now() < end;) {
    if (book_.entries(kShop, clock_.now()).front().heard_at > first) break;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, milliseconds(20));
  }
  EXPECT_GT(book_.entries(kShop, clock_.now()).front().heard_at, first);
  links_.want(kShop, {});
}

TEST_F(SidecarHttpsTest, SilenceIsNoticed) {
  links_.want(kShop, {HttpsSidecar::address()});
  ASSERT_TRUE(wait_for_news(1));
  links_.want(kShop, {});
  EXPECT_TRUE(wait_for_news(2));
}

TEST_F(SidecarHttpsTest, OrdersAreAnsweredWithTheStateAfterThem) {
  const auto result = client_.give(context(), HttpsSidecar::address(), order(wire::Fence{}));
  ASSERT_TRUE(result.has_value()) << result.error().what;
  EXPECT_EQ(result->state.process, wire::Process::kNotRunning);
}

TEST_F(SidecarHttpsTest, ARefusalIsAnAnswer) {
  const auto result = client_.give(context(), HttpsSidecar::address(), order(wire::Permit{}, 0));
  ASSERT_TRUE(result.has_value()) << result.error().what;
  EXPECT_EQ(result->error, "revision 9 is held");
}

TEST_F(SidecarHttpsTest, ARefusedTokenIsNotedUntilItIsTaken) {
  sidecar_.take_token("another");
  const auto denied = client_.give(context(), HttpsSidecar::address(), order(wire::Fence{}));
  ASSERT_FALSE(denied.has_value());
  EXPECT_EQ(denied.error().kind, ErrorKind::kDenied);
  links_.want(kShop, {HttpsSidecar::address()});
  ASSERT_TRUE(wait_for_news(1));
  EXPECT_TRUE(book_.refusal(kShop, "shop-0", clock_.now()).ends_with("answered 401: a bearer token is needed"));
  EXPECT_TRUE(book_.entries(kShop, clock_.now()).empty());
  sidecar_.take_token("secret");
  ASSERT_TRUE(wait_for_news(2));
  EXPECT_EQ(book_.refusal(kShop, "shop-0", clock_.now()), "");
  links_.want(kShop, {});
}

TEST_F(SidecarHttpsTest, AMemberWhoseMountIsBehindIsAskedWithTheEarlierToken) {
  know_tokens("new", "secret");
  EXPECT_TRUE(client_.give(context(), HttpsSidecar::address(), order(wire::Permit{})));
  links_.want(kShop, {HttpsSidecar::address()});
  ASSERT_TRUE(wait_for_news(1));
  EXPECT_EQ(book_.entries(kShop, clock_.now()).size(), 1U);
  sidecar_.take_token("new");
  EXPECT_TRUE(client_.give(context(), HttpsSidecar::address(), order(wire::Permit{})));
  sidecar_.take_token("yet another");
  const auto denied = client_.give(context(), HttpsSidecar::address(), order(wire::Permit{}));
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind, ErrorKind::kDenied);
  EXPECT_EQ(book_.refusal(kShop, "shop-0", clock_.now()), "");
  links_.want(kShop, {});
}

TEST_F(SidecarHttpsTest, OrdersBearTheTokenThatTheSecretHoldsNow) {
  EXPECT_TRUE(client_.give(context(), HttpsSidecar::address(), order(wire::Permit{})));
  sidecar_.take_token("new");
  know_tokens("new", "");
  const auto result = client_.give(context(), HttpsSidecar::address(), order(wire::Permit{}));
  EXPECT_TRUE(result) << result.error().what;
}

TEST_F(SidecarHttpsTest, ARefusalShowsBesideAStreamThatGoesOn) {
  links_.want(kShop, {HttpsSidecar::address()});
  ASSERT_TRUE(wait_for_news(1));
  know_tokens("new", "never known there");
  const auto refused = [&] { return !book_.refusal(kShop, "shop-0", clock_.now()).empty(); };
  EXPECT_TRUE(lines_until(refused));
  EXPECT_EQ(sidecar_.streams(), 1U) << "it goes on";
  sidecar_.take_token("new");
  EXPECT_TRUE(lines_until([&] { return !refused(); }));
  EXPECT_TRUE(lines_until([&] { return sidecar_.streams() == 1; })) << "none is left of the trials";
  links_.want(kShop, {});
}

TEST_F(SidecarHttpsTest, AMemberOfAnotherNameIsNotBelieved) {
  SidecarAddress other = HttpsSidecar::address();
  other.pod = "shop-1";
  const auto result = client_.give(context(), other, order(wire::Fence{}));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::kDenied);
}

}  // namespace
}  // namespace baton
