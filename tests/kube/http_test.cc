#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "operator/base/acceptor.h"
#include "operator/base/fd.h"
#include "operator/base/http_cpprest.h"
#include "operator/base/http_listener.h"
#include "operator/base/server_tls.h"
#include "tests/kube/certificates.h"

namespace baton {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Authority;
using testing::TemporaryFolder;

const SystemClock kClock;

/// A client that may say anything.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  bool send(std::string_view bytes) const {
    return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// Waits until the server ends the connection; false when it does not within `limit`.
  [[nodiscard]] bool ends_within(milliseconds limit) const {
    pollfd socket{socket_.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&socket, 1, static_cast<int>(limit.count())) > 0 &&
           ::recv(socket_.get(), &byte, 1, MSG_DONTWAIT) <= 0;
  }

 private:
  Fd socket_;
};

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
  options_.request_timeout = seconds(20);  // Fifty handshakes under a sanitizer, on a machine that does other work too.
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
  auto options = client_options();
  options.connect_timeout = seconds(20);
  HttpCpprest client(options, kClock);
  std::array<std::string, 50> answers;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      threads.emplace_back([&, i] {
        const auto answer = client.send(context(seconds(30)), {.method = "POST", .body = std::to_string(i)});
        answers.at(i) = answer ? answer->body : answer.error().what;
      });
    }
  }
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers.at(i), std::to_string(i));
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

/// A server that answers each connection with a response that never ends: `piece`, again and again. `sent` counts what
/// it got rid of.
class EndlessServer {
 public:
  explicit EndlessServer(std::string piece) : piece_(std::move(piece)) {
    acceptor_.emplace(
        open_port("127.0.0.1", 0).value(), 8,
        [this](const Fd& socket, const WakeEvent&, const std::stop_token& stop) { answer(socket, stop); }, Logger());
  }
  [[nodiscard]] HttpClientOptions client_options(std::size_t max_size) const {
    HttpClientOptions options{.base_url = std::format("http://127.0.0.1:{}", acceptor_->port())};
    options.max_size = max_size;
    return options;
  }
  /// Waits until it got rid of so many bytes.
  void wait_sent(std::size_t bytes) const {
    for (const auto until = kClock.now() + seconds(20); sent_ < bytes && kClock.now() < until;) {
      std::this_thread::yield();
    }
  }

 private:
  void answer(const Fd& socket, const std::stop_token& stop) {
    std::string bytes = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    const std::string chunk = std::format("{:x}\r\n{}\r\n", piece_.size(), piece_);
    while (!stop.stop_requested()) {
      pollfd writable{socket.get(), POLLOUT, 0};
      if (::poll(&writable, 1, 100) == 0) continue;
      const auto count = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0) return;
      sent_ += static_cast<std::size_t>(count);
      bytes.erase(0, static_cast<std::size_t>(count));
      if (bytes.empty()) bytes = chunk;
    }
  }

  const std::string piece_;
  std::atomic<std::size_t> sent_ = 0;
  std::optional<Acceptor> acceptor_;  // Last: its threads use the rest.
};

constexpr std::size_t kSmall = std::size_t{64} << 10;

TEST(HttpBounds, ALineWithoutAnEndIsGivenUp) {
  const EndlessServer server(std::string(1000, 'x'));
  int lines = 0;
  const auto result =
      HttpCpprest(server.client_options(kSmall), kClock)
          .stream_lines({.deadline = kClock.now() + seconds(20)}, {}, [&](std::string_view) { return ++lines > 0; });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(result.error().what.contains("more than 65536 bytes")) << result.error().what;
  EXPECT_EQ(lines, 0);
}

TEST(HttpBounds, ABodyWithoutAnEndIsGivenUp) {
  const EndlessServer server(std::string(1000, 'x'));
  const auto result =
      HttpCpprest(server.client_options(kSmall), kClock).send({.deadline = kClock.now() + seconds(20)}, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kCorrupt) << result.error().what;
}

TEST(HttpBounds, LinesThatComeFasterThanTheyAreTakenAreGivenUp) {
  const EndlessServer server(std::string(8000, 'x') + "\n");
  const auto result = HttpCpprest(server.client_options(kSmall), kClock)
                          .stream_lines({.deadline = kClock.now() + seconds(30)}, {}, [&](std::string_view) {
                            server.wait_sent(std::size_t{16} << 20);  // More than sockets hold between them.
                            return true;
                          });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kCorrupt) << result.error().what;
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
  const RawClient client(listener_->port());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\n\r\n"));
  // What the kernel's buffers hold is sent; then either the backlog overruns or the write's time is over.
  const std::string line(256 << 10, 'x');
  const auto until = std::chrono::steady_clock::now() + seconds(20);
  while (stream.write_line(line) && std::chrono::steady_clock::now() < until) {
  }
  EXPECT_TRUE(stream.closed());
  listener_.reset();  // Does not hang on the connection.
}

/// Each connection costs a thread, and there are few: a time limit is for a handshake or a request as a whole.
TEST_F(HttpTest, ClientThatNeverComesToAnEndIsDropped) {
  options_.request_timeout = milliseconds(300);
  serve(&echo);
  auto options = options_;
  options.certificate_file = options.key_file = "";
  const auto plain = *HttpListener::start(options, &echo, Logger());
  struct Case {
    std::string_view what;
    const HttpListener* listener;
    std::string_view begin;
    std::string_view then;  ///< Again and again.
  };
  using std::string_view_literals::operator""sv;
  for (const auto& [what, listener, begin, then] :
       {Case{"a silent handshake", listener_.get(), "", ""},
        Case{"a slow handshake", listener_.get(), "\x16\x03\x01\x3F\xFF"sv, "x"},
        Case{"a slow head", plain.get(), "GET / HTTP/1.1\r\nx-long: ", "x"},
        Case{"a slow body", plain.get(), "POST / HTTP/1.1\r\ncontent-length: 9999\r\n\r\n", "x"}}) {
    const RawClient client(listener->port());
    ASSERT_TRUE(client.send(begin));
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    bool is_ended = false;
    while (!is_ended && std::chrono::steady_clock::now() < until) {
      is_ended = client.ends_within(milliseconds(20));
      if (!is_ended && !then.empty()) client.send(then);
    }
    EXPECT_TRUE(is_ended) << what;
  }
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

/// The key is a pipe, which opens for its writer when somebody reads it: then the certificate has been read, and both
/// files are replaced.
TEST(ServerTls, FilesThatAreReplacedWhileTheyAreReadAreReadAgain) {
  const Authority authority;
  const TemporaryFolder folder;
  const auto first = authority.issue("shop-0");
  const auto second = authority.issue("shop-9");
  const auto certificate_file = folder.write("tls.crt", first.certificate);
  const auto key_file = folder.write("tls.key", "");
  std::filesystem::remove(key_file);
  ASSERT_EQ(::mkfifo(key_file.c_str(), 0600), 0);
  ServerTls tls(certificate_file, key_file, Logger());
  {
    const std::jthread replacer([&] {
      const Fd pipe(::open(key_file.c_str(), O_WRONLY | O_CLOEXEC));
      (void)folder.write("tls.crt", second.certificate);
      std::filesystem::remove(key_file);
      (void)folder.write("tls.key", second.key);
      EXPECT_EQ(::write(pipe.get(), first.key.data(), first.key.size()), static_cast<ssize_t>(first.key.size()));
    });
    const auto loaded = tls.reload();
    ASSERT_TRUE(loaded) << loaded.error().what;
  }
  const auto context = tls.current();
  EXPECT_EQ(X509_check_host(SSL_CTX_get0_certificate(context.get()), "shop-9", 0, 0, nullptr), 1);
}

TEST_F(HttpTest, PlainHttpToo) {
  options_.address = "127.0.0.1";
  listener_ = *HttpListener::start(options_, &echo, Logger());
  HttpCpprest client({.base_url = std::format("http://127.0.0.1:{}", listener_->port())}, kClock);
  EXPECT_EQ(client.send(context(), {.path_and_query = "/metrics"})->body, "/metrics|");
}

TEST(HttpListenerTest, ByDefaultBothFamiliesAreServed) {
  // IPv4 alone where there is no IPv6.
  const Fd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const bool six = ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&loopback), sizeof(loopback)) == 0;
  const auto listener = *HttpListener::start(
      {}, [](const std::stop_token&, const HttpRequest&) { return HttpResponse{.body = "here"}; }, Logger());
  for (const char* host : {"127.0.0.1", "[::1]"}) {
    if (!six && std::string_view(host) == "[::1]") continue;
    HttpCpprest client({.base_url = std::format("http://{}:{}", host, listener->port())}, kClock);
    const auto answer = client.send({.deadline = kClock.now() + seconds(5)}, {});
    ASSERT_TRUE(answer) << host << ": " << answer.error().what;
    EXPECT_EQ(answer->body, "here");
  }
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
