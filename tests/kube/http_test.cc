#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "operator/base/http_cpprest.h"
#include "operator/base/http_listener.h"
#include "tests/kube/certificates.h"

namespace baton {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Authority;
using testing::TemporaryFolder;

const SystemClock kClock;

/// A TLS server named shop-0 on a loopback port, whose handler a test gives.
class HttpTest : public ::testing::Test {
 protected:
  void serve(HttpHandler handler) {
    const auto certificate = authority_.issue("shop-0");
    options_.certificate_file = folder_.write("tls.crt", certificate.certificate);
    options_.key_file = folder_.write("tls.key", certificate.key);
    options_.address = "127.0.0.1";
    listener_ = *HttpListener::start(options_, std::move(handler), Logger());
  }
  [[nodiscard]] HttpClientOptions client_options() const {
    return {.base_url = std::format("https://127.0.0.1:{}", listener_->port()),
            .ca_pem = authority_.pem(),
            .verify_name = "shop-0"};
  }
  static Context context(Duration limit = seconds(5), std::stop_token stop = {}) {
    return {.stop = std::move(stop), .deadline = kClock.now() + limit, .log = {}};
  }
  static HttpReply echo(const std::stop_token&, const HttpRequest& request) {
    return HttpResponse{
        .status = 200, .headers = {{"x-method", request.method}}, .body = request.path_and_query + "|" + request.body};
  }
  /// How a request fails whose client is set up otherwise than it should be; nothing if it does not.
  std::optional<ErrorKind> failure_with(const std::function<void(HttpClientOptions&)>& change) {
    serve(&echo);
    auto options = client_options();
    change(options);
    const auto answer = HttpCpprest(options, kClock).send(context(), {});
    return answer ? std::nullopt : std::optional(answer.error().kind);
  }

  Authority authority_;
  TemporaryFolder folder_;
  HttpListenerOptions options_;
  std::unique_ptr<HttpListener> listener_;
};

TEST_F(HttpTest, RequestAndResponseOverTls) {
  serve([](const std::stop_token&, const HttpRequest& request) -> HttpReply {
    if (!request.headers.contains("authorization")) return HttpResponse{.status = 401, .body = "no token"};
    return HttpResponse{.status = 409, .body = request.headers.at("authorization") + request.body};
  });
  auto options = client_options();
  HttpCpprest without(options, kClock);
  EXPECT_EQ(without.send(context(), {.path_and_query = "/v1/state"})->status, 401);
  options.token = [] { return "secret"; };
  HttpCpprest client(options, kClock);
  const auto answer = client.send(context(), {.method = "POST", .path_and_query = "/v1/orders?x=1", .body = "{}"});
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->status, 409);
  EXPECT_EQ(answer->body, "Bearer secret{}");
}

TEST_F(HttpTest, WrongNameIsRefused) {
  EXPECT_EQ(failure_with([](HttpClientOptions& options) { options.verify_name = "shop-1"; }), ErrorKind::kDenied);
}

TEST_F(HttpTest, AddressAloneIsNotAName) {
  EXPECT_EQ(failure_with([](HttpClientOptions& options) { options.verify_name.clear(); }), ErrorKind::kDenied);
}

TEST_F(HttpTest, WrongAuthorityIsRefused) {
  EXPECT_EQ(failure_with([](HttpClientOptions& options) { options.ca_pem = Authority().pem(); }), ErrorKind::kDenied);
}

TEST_F(HttpTest, UnusableAuthorityIsOurOwnMistake) {
  EXPECT_EQ(failure_with([](HttpClientOptions& options) { options.ca_pem = "garbage"; }), ErrorKind::kTerminal);
}

TEST_F(HttpTest, NobodyListeningIsRetry) {
  serve(&echo);
  const auto options = client_options();
  listener_.reset();
  const auto answer = HttpCpprest(options, kClock).send(context(), {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kRetry);
}

TEST_F(HttpTest, KeptConnectionAnswersInAboutAMillisecond) {
  serve(&echo);
  HttpCpprest client(client_options(), kClock);
  ASSERT_TRUE(client.send(context(), {}));
  constexpr int kCount = 200;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCount; ++i) {
    ASSERT_TRUE(client.send(context(), {.method = "POST", .path_and_query = "/v1/orders", .body = "{\"a\":1}"}));
  }
  const auto each = (std::chrono::steady_clock::now() - start) / kCount;
  RecordProperty("microseconds_each",
                 std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(each).count()));
  EXPECT_LT(each, milliseconds(20));  // Far above what is usual (0.3 ms); a delayed acknowledgement would cost 40.
}

TEST_F(HttpTest, FiftyRequestsAtOnce) {
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  serve([&](const std::stop_token&, const HttpRequest& request) -> HttpReply {
    const int now = ++inside;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait_for(lock, milliseconds(50), [] { return false; });  // A handler that blocks.
    --inside;
    return HttpResponse{.body = request.body};
  });
  HttpCpprest client(client_options(), kClock);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 50; ++i) {
      threads.emplace_back([&, i] {
        const auto answer = client.send(context(seconds(20)), {.method = "POST", .body = std::to_string(i)});
        if (answer && answer->body == std::to_string(i)) ++good;
      });
    }
  }
  EXPECT_EQ(good, 50);
  EXPECT_GT(most, 1);
}

TEST_F(HttpTest, BodiesAndHeadsAreBounded) {
  serve(&echo);
  HttpCpprest client(client_options(), kClock);
  const std::string fits(options_.max_body, 'x');
  EXPECT_EQ(client.send(context(), {.method = "POST", .body = fits})->status, 200);
  EXPECT_EQ(client.send(context(), {.method = "POST", .body = fits + "x"})->status, 413);
  EXPECT_EQ(client.send(context(), {.headers = {{"x-long", std::string(20000, 'x')}}})->status, 431);
}

TEST_F(HttpTest, LinesArriveAsTheyAreWritten) {
  LineStream stream;
  serve([&](const std::stop_token&, const HttpRequest&) -> HttpReply { return stream; });
  HttpCpprest client(client_options(), kClock);
  using Time = std::chrono::steady_clock::time_point;
  std::vector<Time> written(20);
  std::vector<Time> arrived;
  std::atomic<std::size_t> count = 0;
  std::jthread writer([&] {
    for (std::size_t i = 0; i < written.size(); ++i) {
      written[i] = std::chrono::steady_clock::now();
      ASSERT_TRUE(stream.write_line(std::format("{{\"n\":{}}}", i)));
      count.wait(i);  // The next line only when this one has arrived: nothing may wait for company.
    }
    stream.close();
  });
  const auto result = client.stream_lines(context(), {}, [&](std::string_view line) {
    EXPECT_EQ(line, std::format("{{\"n\":{}}}", arrived.size()));
    arrived.push_back(std::chrono::steady_clock::now());
    ++count;
    count.notify_all();
    return true;
  });
  ASSERT_TRUE(result) << result.error().what;
  ASSERT_EQ(arrived.size(), written.size());
  writer.join();
  // A line that waits for company or a delayed acknowledgement takes 40 ms each time; a busy machine does so rarely.
  std::vector<std::chrono::nanoseconds> took;
  for (std::size_t i = 1; i < written.size(); ++i) took.push_back(arrived[i] - written[i]);
  std::ranges::sort(took);
  EXPECT_LT(took[took.size() / 2], milliseconds(30));
}

TEST_F(HttpTest, StopEndsAStreamAtOnceAndTheServerNotices) {
  LineStream stream;
  serve([&](const std::stop_token&, const HttpRequest&) -> HttpReply { return stream; });
  HttpCpprest client(client_options(), kClock);
  std::stop_source stop;
  stream.write_line("first");
  std::chrono::steady_clock::time_point stopped;
  std::jthread stopper;
  const auto result = client.stream_lines(context(seconds(20), stop.get_token()), {}, [&](std::string_view) {
    stopper = std::jthread([&] {
      stopped = std::chrono::steady_clock::now();
      stop.request_stop();
    });
    return true;
  });
  const auto ended = std::chrono::steady_clock::now();
  stopper.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kCancelled);
  EXPECT_LT(ended - stopped, seconds(2)) << "the stream itself would last for twenty";
  // The server learns of it although nothing is written.
  for (const auto until = ended + seconds(5); !stream.closed() && std::chrono::steady_clock::now() < until;) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(stream.closed());
  EXPECT_FALSE(stream.write_line("late"));
}

TEST_F(HttpTest, FalseFromTheCallbackEndsAStreamWell) {
  LineStream stream;
  serve([&](const std::stop_token&, const HttpRequest&) -> HttpReply { return stream; });
  stream.write_line("one");
  stream.write_line("two");
  std::vector<std::string> lines;
  const auto result = HttpCpprest(client_options(), kClock).stream_lines(context(), {}, [&](std::string_view line) {
    lines.emplace_back(line);
    return false;
  });
  EXPECT_TRUE(result);
  EXPECT_EQ(lines, std::vector<std::string>{"one"});
}

TEST_F(HttpTest, DeadlineEndsSendAndStream) {
  LineStream stream;
  serve([&](const std::stop_token&, const HttpRequest&) -> HttpReply { return stream; });
  HttpCpprest client(client_options(), kClock);
  const auto answer = client.send(context(milliseconds(100)), {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kCancelled);
}

TEST_F(HttpTest, SilenceBeyondTheIdleLimitIsRetry) {
  LineStream stream;
  serve([&](const std::stop_token&, const HttpRequest&) -> HttpReply { return stream; });
  auto options = client_options();
  options.idle_timeout = milliseconds(150);
  const auto result = HttpCpprest(options, kClock).stream_lines(context(), {}, [](std::string_view) { return true; });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kRetry) << result.error().what;
}

TEST_F(HttpTest, StreamOfAnErrorStatusIsThatError) {
  serve([](const std::stop_token&, const HttpRequest&) -> HttpReply {
    return HttpResponse{.status = 410, .body = "too old"};
  });
  const auto result =
      HttpCpprest(client_options(), kClock).stream_lines(context(), {}, [](std::string_view) { return true; });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kGone);
  EXPECT_NE(result.error().what.find("too old"), std::string::npos);
}

TEST_F(HttpTest, ClientThatDoesNotReadItsStreamIsDropped) {
  LineStream stream;
  options_.address = "127.0.0.1";
  options_.request_timeout = milliseconds(300);
  const HttpHandler handler = [&](const std::stop_token&, const HttpRequest&) -> HttpReply { return stream; };
  listener_ = *HttpListener::start(options_, handler, Logger());
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(listener_->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(client, kRequest.data(), kRequest.size(), 0), static_cast<ssize_t>(kRequest.size()));
  // What the kernel's buffers hold is sent; then either the backlog overruns or the write's time is over.
  const std::string line(256 << 10, 'x');
  const auto until = std::chrono::steady_clock::now() + seconds(20);
  while (stream.write_line(line) && std::chrono::steady_clock::now() < until) {
  }
  EXPECT_TRUE(stream.closed());
  listener_.reset();  // Does not hang on the connection.
  ::close(client);
}

TEST_F(HttpTest, StoppedListenerEndsItsStreams) {
  LineStream stream;
  serve([&](const std::stop_token&, const HttpRequest&) -> HttpReply { return stream; });
  HttpCpprest client(client_options(), kClock);
  stream.write_line("up");
  std::jthread stopper;
  const auto result = client.stream_lines(context(), {}, [&](std::string_view) {
    stopper = std::jthread([&] { listener_.reset(); });
    return true;
  });
  EXPECT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kRetry) << result.error().what;
}

TEST_F(HttpTest, ReplacedCertificateIsTakenForTheNextConnection) {
  serve(&echo);
  ASSERT_TRUE(HttpCpprest(client_options(), kClock).send(context(), {}));
  const auto other = authority_.issue("shop-9");
  (void)folder_.write("tls.crt", other.certificate);
  (void)folder_.write("tls.key", other.key);
  auto options = client_options();
  options.verify_name = "shop-9";
  const auto answer = HttpCpprest(options, kClock).send(context(), {});
  EXPECT_TRUE(answer) << answer.error().what;
  (void)folder_.write("tls.crt", "garbage");
  EXPECT_FALSE(listener_->reload());
  EXPECT_TRUE(HttpCpprest(options, kClock).send(context(), {})) << "the former certificate stays";
}

TEST_F(HttpTest, PlainHttpToo) {
  options_.address = "127.0.0.1";
  listener_ = *HttpListener::start(options_, &echo, Logger());
  HttpCpprest client({.base_url = std::format("http://127.0.0.1:{}", listener_->port())}, kClock);
  EXPECT_EQ(client.send(context(), {.path_and_query = "/metrics"})->body, "/metrics|");
}

TEST_F(HttpTest, TakenPortIsRetryAndBadAddressIsTerminal) {
  serve(&echo);
  auto options = options_;
  options.port = listener_->port();
  EXPECT_EQ(HttpListener::start(options, &echo, Logger()).error().kind, ErrorKind::kRetry);
  options.address = "nowhere";
  EXPECT_EQ(HttpListener::start(options, &echo, Logger()).error().kind, ErrorKind::kTerminal);
}

}  // namespace
}  // namespace baton
