// The only file that includes cpprestsdk. Built by g++ alone: clang 21 takes its headers only as C++20
// (json::details::_Value is incomplete there), so this file is left out of clang builds and clang-tidy.
#define _TURN_OFF_PLATFORM_STRING  // Its macro U breaks the headers of others.
#include "operator/base/http_cpprest.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Woverloaded-virtual"
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#include <cpprest/http_client.h>
#include <pplx/threadpool.h>
#pragma GCC diagnostic pop
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <condition_variable>
#include <mutex>
#include <optional>

namespace baton {
namespace {

namespace http = web::http;
namespace streams = concurrency::streams;

/// Our own settings cannot be used.
struct UnusableSettings : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One request on its way. Filled by threads of cpprestsdk's pool, waited for by the caller; outlives whoever goes
/// first, since a caller does not wait for a cancelled request to end.
struct Exchange {
  explicit Exchange(std::size_t max_size) : limit(max_size) {}

  const std::size_t limit;
  std::mutex mutex;
  std::condition_variable_any changed;
  bool sent = false;  // Headers of the request are written: there is a connection.
  int status = 0;     // 0 until the response's head is there.
  HttpHeaders headers;
  std::string received;  // Body bytes that the caller has not taken yet.
  bool overrun = false;  // There were more than `limit`; nothing is taken any more.
  bool ended = false;
  std::optional<Error> failure;  // With ended.

  void update(const std::function<void()>& change) {
    {
      const std::scoped_lock lock(mutex);
      change();
    }
    changed.notify_all();
  }
  void end(std::optional<Error> error) {
    update([&] {
      ended = true;
      failure = std::move(error);
    });
  }
};

/// Where cpprestsdk writes the body: straight into the exchange. Its own buffers give bytes out only when as many as
/// were asked for are there, which would delay lines. Everything but writing is refused.
class BodySink final : public streams::details::streambuf_state_manager<std::uint8_t> {
  using Base = streams::details::streambuf_state_manager<std::uint8_t>;

 public:
  explicit BodySink(std::shared_ptr<Exchange> exchange) : Base(std::ios_base::out), exchange_(std::move(exchange)) {}

  bool can_seek() const override { return false; }
  bool has_size() const override { return false; }
  size_t buffer_size(std::ios_base::openmode) const override { return 0; }
  void set_buffer_size(size_t, std::ios_base::openmode) override {}
  size_t in_avail() const override { return 0; }
  pos_type getpos(std::ios_base::openmode) const override { return traits::eof(); }
  pos_type seekpos(pos_type, std::ios_base::openmode) override { return traits::eof(); }
  pos_type seekoff(off_type, std::ios_base::seekdir, std::ios_base::openmode) override { return traits::eof(); }
  bool acquire(std::uint8_t*&, size_t&) override { return false; }
  void release(std::uint8_t*, size_t) override {}

 protected:
  pplx::task<int_type> _putc(std::uint8_t byte) override {
    append(&byte, 1);
    return pplx::task_from_result<int_type>(byte);
  }
  pplx::task<size_t> _putn(const std::uint8_t* bytes, size_t count) override {
    append(bytes, count);
    return pplx::task_from_result(count);
  }
  pplx::task<bool> _sync() override { return pplx::task_from_result(true); }
  std::uint8_t* _alloc(size_t) override { return nullptr; }
  void _commit(size_t) override {}
  pplx::task<int_type> _bumpc() override { return pplx::task_from_result<int_type>(traits::eof()); }
  int_type _sbumpc() override { return traits::eof(); }
  pplx::task<int_type> _getc() override { return pplx::task_from_result<int_type>(traits::eof()); }
  int_type _sgetc() override { return traits::eof(); }
  pplx::task<int_type> _nextc() override { return pplx::task_from_result<int_type>(traits::eof()); }
  pplx::task<int_type> _ungetc() override { return pplx::task_from_result<int_type>(traits::eof()); }
  pplx::task<size_t> _getn(std::uint8_t*, size_t) override { return pplx::task_from_result<size_t>(0); }
  size_t _scopy(std::uint8_t*, size_t) override { return 0; }

 private:
  void append(const std::uint8_t* bytes, size_t count) {
    exchange_->update([&] {
      exchange_->overrun = exchange_->overrun || count > exchange_->limit - exchange_->received.size();
      if (!exchange_->overrun) exchange_->received.append(bytes, bytes + count);
    });
  }
  std::shared_ptr<Exchange> exchange_;
};

Error error_of(const std::exception_ptr& thrown, const std::string& server) {
  try {
    std::rethrow_exception(thrown);
  } catch (const http::http_exception& exception) {
    const int code = exception.error_code().value();
    // A failed handshake carries OpenSSL's packed error number.
    if (ERR_GET_LIB(static_cast<unsigned long>(code)) == ERR_LIB_SSL &&
        ERR_GET_REASON(static_cast<unsigned long>(code)) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      return {ErrorKind::kDenied, std::format("the certificate of {} is not one that we trust for it", server)};
    }
    if (exception.error_code() == std::errc::timed_out) {
      return {ErrorKind::kRetry, std::format("{} was silent for too long", server)};
    }
    return {ErrorKind::kRetry, std::format("talking to {}: {}", server, exception.what())};
  } catch (const UnusableSettings& exception) {
    return {ErrorKind::kTerminal, exception.what()};
  } catch (const web::uri_exception& exception) {
    return {ErrorKind::kTerminal, std::format("unusable address of {}: {}", server, exception.what())};
  } catch (const std::exception& exception) {
    return {ErrorKind::kRetry, std::format("talking to {}: {}", server, exception.what())};
  } catch (...) {
    return {ErrorKind::kRetry, std::format("talking to {}: unknown failure", server)};
  }
}

/// cpprestsdk gives a URL's host to the resolver as it is written, and none knows an IPv6 address in brackets. It takes
/// one without them as well, as long as a port follows.
std::string without_brackets(std::string url) {
  const auto begin = url.find("://[");
  const auto end = url.find(']');
  if (begin == std::string::npos || end == std::string::npos) return url;
  const std::string_view port = url.starts_with("https:") ? ":443" : ":80";
  url.replace(end, 1, url.substr(end + 1).starts_with(':') ? "" : port);
  url.erase(begin + 3, 1);
  return url;
}

void follow(const std::shared_ptr<Exchange>& exchange, const std::string& server,
            pplx::task<http::http_response> head) {
  head.then([exchange, server](pplx::task<http::http_response> arrived) {
    try {
      auto response = arrived.get();
      exchange->update([&] {
        exchange->status = response.status_code();
        for (const auto& [name, value] : response.headers()) {
          std::string key = name;
          std::ranges::transform(key, key.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
          exchange->headers.insert_or_assign(std::move(key), value);
        }
      });
      response.content_ready().then([exchange, server](pplx::task<http::http_response> finished) {
        try {
          finished.get();
          exchange->end(std::nullopt);
        } catch (...) {
          exchange->end(error_of(std::current_exception(), server));
        }
      });
    } catch (...) {
      exchange->end(error_of(std::current_exception(), server));
    }
  });
}

void require(bool worked, const char* what) {
  if (worked) return;
  ERR_clear_error();
  throw UnusableSettings(what);
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

void trust_pem(X509_STORE* store, const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  std::size_t count = 0;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    const bool added = X509_STORE_add_cert(store, certificate) == 1;
    X509_free(certificate);
    require(added, "an authority's certificate cannot be used");
    ++count;
  }
  ERR_clear_error();  // The end of the text is reported as an error.
  require(count > 0, "the authorities' PEM holds no certificate");
}

}  // namespace

/// Owns the cpprestsdk client and the options, which requests on their way share.
class HttpCpprest::Client {
 public:
  Client(HttpClientOptions options, const Clock& clock)
      : options_(std::make_shared<const HttpClientOptions>(std::move(options))), clock_(clock) {}

  Result<std::shared_ptr<Exchange>> start(const HttpRequest& request, const pplx::cancellation_token& cancel) {
    auto exchange = std::make_shared<Exchange>(options_->max_size);
    try {
      http::http_request message(request.method);
      message.set_request_uri(web::uri(request.path_and_query));
      if (!request.body.empty()) {
        message.set_body(request.body, "application/octet-stream");
        message.headers()["Content-Type"] = request.content_type.empty() ? "application/json" : request.content_type;
      }
      for (const auto& [name, value] : request.headers) message.headers()[name] = value;
      // cpprestsdk checks the certificate against the Host header, when there is one, in place of the URL's host, and
      // keeps a pool of connections for each such name (calc_cn_host in its http_client_asio.cpp).
      if (!options_->verify_name.empty()) message.headers()["Host"] = options_->verify_name;
      if (options_->token) message.headers()["Authorization"] = "Bearer " + options_->token();
      message.set_progress_handler([exchange](http::message_direction::direction, utility::size64_t) {
        exchange->update([&] { exchange->sent = true; });
      });
      message.set_response_stream(
          streams::ostream(streams::streambuf<std::uint8_t>(std::make_shared<BodySink>(exchange))));
      follow(exchange, options_->base_url, client().request(message, cancel));
    } catch (...) {
      return std::unexpected(error_of(std::current_exception(), options_->base_url));
    }
    return exchange;
  }

  /// Waits until ready() holds or the exchange ended. Called with the exchange's lock held.
  Result<void> wait(const Context& context, Exchange& exchange, std::unique_lock<std::mutex>& lock, Instant connect_by,
                    const std::function<bool()>& ready) const {
    for (;;) {
      if (exchange.overrun) return too_much("a response");
      if (ready() || exchange.ended) return {};
      const Instant now = clock_.now();
      if (context.stop.stop_requested()) return fail(ErrorKind::kCancelled, "stopped while talking to {}", server());
      if (now >= context.deadline) {
        return fail(ErrorKind::kCancelled, "{} did not answer before the deadline", server());
      }
      if (!exchange.sent && now >= connect_by) {
        return fail(ErrorKind::kRetry, "no connection to {} within {}", server(), options_->connect_timeout);
      }
      const Instant until = exchange.sent ? context.deadline : std::min(context.deadline, connect_by);
      const auto slice = std::min<Duration>(until - now, std::chrono::minutes(1));
      const bool sent = exchange.sent;
      exchange.changed.wait_for(lock, context.stop, slice,
                                [&] { return exchange.overrun || ready() || exchange.ended || exchange.sent != sent; });
    }
  }

  /// The server sends what nobody who means well sends. `what`: "a response", "a line".
  [[nodiscard]] std::unexpected<Error> too_much(std::string_view what) const {
    return fail(ErrorKind::kCorrupt, "{} sends {} of more than {} bytes and is not listened to any further", server(),
                what, options_->max_size);
  }
  [[nodiscard]] std::size_t max_size() const { return options_->max_size; }

  [[nodiscard]] Instant connect_by() const { return clock_.now() + options_->connect_timeout; }
  [[nodiscard]] const std::string& server() const { return options_->base_url; }

 private:
  // Made with the first request, so that init_http_threads may come after the constructor.
  http::client::http_client& client() {
    const std::scoped_lock lock(mutex_);
    if (!client_) {
      http::client::http_client_config config;
      config.set_timeout(options_->idle_timeout);  // Begins anew with each piece that arrives.
      config.set_max_redirects(0);
      config.set_ssl_context_callback([options = options_](boost::asio::ssl::context& tls) { prepare(*options, tls); });
      client_.emplace(web::uri(without_brackets(options_->base_url)), config);
    }
    return *client_;
  }

  static void prepare(const HttpClientOptions& options, boost::asio::ssl::context& tls) {
    SSL_CTX* context = tls.native_handle();
    require(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1, "TLS 1.2 is not available");
    if (!options.ca_pem.empty() || !options.ca_file.empty()) {
      X509_STORE* store = X509_STORE_new();
      require(store != nullptr, "out of memory");
      SSL_CTX_set_cert_store(context, store);  // Takes it over; the system's authorities go with the old one.
      if (!options.ca_pem.empty()) trust_pem(store, options.ca_pem);
      if (!options.ca_file.empty()) {
        require(X509_STORE_load_file(store, options.ca_file.c_str()) == 1, "the authorities' file cannot be read");
      }
    }
    if (!options.client_certificate_pem.empty()) {
      boost::system::error_code bad_chain;
      boost::system::error_code bad_key;
      tls.use_certificate_chain(boost::asio::buffer(options.client_certificate_pem), bad_chain);
      tls.use_private_key(boost::asio::buffer(options.client_key_pem), boost::asio::ssl::context::pem, bad_key);
      require(!bad_chain && !bad_key, "our client certificate or its key cannot be used");
    }
  }

  std::shared_ptr<const HttpClientOptions> options_;
  const Clock& clock_;
  std::mutex mutex_;
  std::optional<http::client::http_client> client_;
};

HttpCpprest::HttpCpprest(HttpClientOptions options, const Clock& clock)
    : client_(std::make_unique<Client>(std::move(options), clock)) {}
HttpCpprest::~HttpCpprest() = default;

namespace {

/// Cancels the request when the caller leaves early; closing its socket wakes what waits on it.
class CancelOnExit {
 public:
  ~CancelOnExit() {
    if (armed_) source_.cancel();
  }
  void disarm() { armed_ = false; }
  [[nodiscard]] pplx::cancellation_token token() const { return source_.get_token(); }

 private:
  pplx::cancellation_token_source source_;
  bool armed_ = true;
};

}  // namespace

Result<HttpResponse> HttpCpprest::send(const Context& context, HttpRequest request) {
  if (context.stop.stop_requested())
    return fail(ErrorKind::kCancelled, "stopped before talking to {}", client_->server());
  CancelOnExit cancel;
  const Instant connect_by = client_->connect_by();
  TRY(exchange, client_->start(request, cancel.token()));
  std::unique_lock lock(exchange->mutex);
  if (auto waited = client_->wait(context, *exchange, lock, connect_by, [] { return false; }); !waited) {
    lock.unlock();
    return std::unexpected(std::move(waited).error());
  }
  cancel.disarm();
  if (exchange->failure) return std::unexpected(*exchange->failure);
  return HttpResponse{
      .status = exchange->status, .headers = std::move(exchange->headers), .body = std::move(exchange->received)};
}

namespace {

/// Cuts what arrives into lines, whatever pieces it arrives in.
class LineCutter {
 public:
  enum class Then : std::uint8_t {
    kGoOn,
    kEnough,   ///< on_line wants no more.
    kTooLong,  ///< A line has more bytes than any may have.
  };

  explicit LineCutter(std::size_t max_size) : max_size_(max_size) {}

  Then feed(std::string_view bytes, const std::function<bool(std::string_view)>& on_line) {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const auto part = bytes.substr(0, end);
      if (part.size() > max_size_ - begun_.size()) return Then::kTooLong;
      begun_ += part;
      if (end == std::string_view::npos) break;
      bytes.remove_prefix(end + 1);
      if (begun_.ends_with('\r')) begun_.pop_back();
      const std::string line = std::exchange(begun_, {});
      if (!on_line(line)) return Then::kEnough;
    }
    return Then::kGoOn;
  }

 private:
  std::size_t max_size_;
  std::string begun_;  // Never longer than that.
};

Error refusal(int status, std::string_view server, std::string_view body) {
  constexpr std::size_t kEnough = 500;
  return {kind_of_status(status), std::format("{} answered {}: {}", server, status, body.substr(0, kEnough))};
}

}  // namespace

Result<void> HttpCpprest::stream_lines(const Context& context, HttpRequest request,
                                       std::function<bool(std::string_view)> on_line) {
  if (context.stop.stop_requested())
    return fail(ErrorKind::kCancelled, "stopped before talking to {}", client_->server());
  CancelOnExit cancel;
  const Instant connect_by = client_->connect_by();
  TRY(exchange, client_->start(request, cancel.token()));
  LineCutter cutter(client_->max_size());
  for (;;) {
    std::unique_lock lock(exchange->mutex);
    const auto has_lines = [&] { return exchange->status / 100 == 2 && !exchange->received.empty(); };
    auto waited = client_->wait(context, *exchange, lock, connect_by, has_lines);
    const std::string bytes = has_lines() ? std::exchange(exchange->received, {}) : std::string();
    const bool ended = exchange->ended;
    lock.unlock();
    if (!waited) return waited;
    const auto then = cutter.feed(bytes, on_line);
    if (then == LineCutter::Then::kTooLong) return client_->too_much("a line");
    if (then == LineCutter::Then::kEnough) return {};
    if (!ended || !bytes.empty()) continue;
    cancel.disarm();
    if (exchange->failure) return std::unexpected(*exchange->failure);
    if (exchange->status / 100 != 2) {
      return std::unexpected(refusal(exchange->status, client_->server(), exchange->received));
    }
    return {};
  }
}

bool init_http_threads(int count) {
  try {
    crossplat::threadpool::initialize_with_threads(static_cast<size_t>(count));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace baton
