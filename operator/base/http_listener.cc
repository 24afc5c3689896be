#include "operator/base/http_listener.h"

#include <signal.h>

#include <mutex>
#include <optional>

#include "operator/base/acceptor.h"
#include "operator/base/http_connection.h"
#include "operator/base/http_wire.h"

namespace baton {
struct LineStream::State {
  std::mutex mutex;
  std::string pending;    // Chunks that the connection has not taken yet.
  bool finished = false;  // No more lines will be taken.
  bool overrun = false;
  WakeEvent event;
};

LineStream::LineStream() : state_(std::make_shared<State>()) {}

bool LineStream::write_line(std::string_view line) const {
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->finished) return false;
    if (state_->pending.size() + line.size() > kMaxBacklog) {
      state_->finished = state_->overrun = true;
    } else {
      state_->pending += encode_line_chunk(line);
    }
  }
  state_->event.raise();
  return !closed();
}

void LineStream::close() const {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->finished = true;
  }
  state_->event.raise();
}

bool LineStream::closed() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->finished;
}

/// The connection's end of a stream; closes it on the way out, so that writers learn of a client that left.
class LineStreamReader {
 public:
  explicit LineStreamReader(const LineStream& stream) : state_(stream.state_) {}
  ~LineStreamReader() {
    const std::scoped_lock lock(state_->mutex);
    state_->finished = true;
    state_->pending.clear();
  }
  LineStreamReader(const LineStreamReader&) = delete;
  LineStreamReader& operator=(const LineStreamReader&) = delete;

  struct Taken {
    std::string chunks;
    bool finished = false;
    bool overrun = false;
  };
  [[nodiscard]] Taken take() const {
    state_->event.lower();
    const std::scoped_lock lock(state_->mutex);
    return {std::exchange(state_->pending, {}), state_->finished, state_->overrun};
  }
  [[nodiscard]] int event() const { return state_->event.get(); }

 private:
  std::shared_ptr<LineStream::State> state_;
};

namespace {

/// Serves one connection, request after request, until it ends.
class Session {
 public:
  Session(const HttpListenerOptions& options, const HttpHandler& handler, const Logger& log, HttpConnection connection,
          std::stop_token stop, const Clock& clock)
      : options_(options),
        handler_(handler),
        log_(log),
        connection_(std::move(connection)),
        stop_(std::move(stop)),
        clock_(clock) {}

  void run() {
    if (!connection_.handshake(clock_.now() + options_.request_timeout)) return;
    while (!stop_.stop_requested() && serve_one()) {
    }
  }

 private:
  // False when the connection is to end.
  bool serve_one() {
    if (input_.empty() && !connection_.read_some(input_, clock_.now() + options_.keep_alive)) return false;
    const Instant deadline = clock_.now() + options_.request_timeout;
    for (;;) {
      auto head = parse_request_head(input_);
      if (!head) return refuse(head.error());
      if (*head) return serve(std::move(**head), deadline);
      if (!connection_.read_some(input_, deadline)) return false;
    }
  }

  bool serve(RequestHead head, Instant deadline) {
    if (head.body_size > options_.max_body) return refuse(413);
    input_.erase(0, head.size);
    while (input_.size() < head.body_size) {
      if (!connection_.read_some(input_, deadline)) return false;
    }
    head.request.body = input_.substr(0, head.body_size);
    input_.erase(0, head.body_size);
    const HttpReply reply = answer(head.request);
    if (const auto* stream = std::get_if<LineStream>(&reply)) return send_lines(*stream);
    const bool keep = head.keep_alive && !stop_.stop_requested();
    const auto text = encode_response(std::get<HttpResponse>(reply), keep, head.request.method != "HEAD");
    return connection_.write_all(text, clock_.now() + options_.request_timeout) && keep;
  }

  HttpReply answer(const HttpRequest& request) {
    try {
      return handler_(stop_, request);
    } catch (const std::exception& exception) {  // A bug of the handler costs one request, not the process.
      log_.error("http handler threw", {{"path", request.path_and_query}, {"error", exception.what()}});
      return HttpResponse{.status = 500, .body = R"({"error":"internal error"})"};
    }
  }

  bool refuse(int status) {
    const HttpResponse response{.status = status, .body = std::format(R"({{"error":"refused with {}"}})", status)};
    if (connection_.write_all(encode_response(response, false, true), clock_.now() + options_.request_timeout)) {
      connection_.linger(clock_.now() + std::chrono::seconds(1));
    }
    return false;
  }

  bool send_lines(const LineStream& stream) {
    const LineStreamReader reader(stream);
    if (!connection_.write_all(encode_stream_head(), clock_.now() + options_.request_timeout)) return false;
    for (;;) {
      auto taken = reader.take();
      if (taken.overrun) {
        log_.warn("client reads its stream too slowly and is dropped");
        return false;
      }
      if (taken.finished) taken.chunks += kLastChunk;
      if (!connection_.write_all(taken.chunks, clock_.now() + options_.request_timeout)) return false;
      if (taken.finished) return false;
      const auto event = connection_.wait_for_event(reader.event(), Instant::max());
      if (!event || !*event) return false;
    }
  }

  const HttpListenerOptions& options_;
  const HttpHandler& handler_;
  const Logger& log_;
  HttpConnection connection_;
  std::stop_token stop_;
  const Clock& clock_;
  std::string input_;
};

void block_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

class HttpListener::Server {
 public:
  Server(HttpListenerOptions options, HttpHandler handler, Logger log, Fd port)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        log_(std::move(log)),
        tls_(options_.certificate_file, options_.key_file, log_),
        listen_(std::move(port)) {}

  void run() {
    acceptor_.emplace(
        std::move(listen_), options_.max_connections,
        [this](Fd socket, const WakeEvent& wake, const std::stop_token& stop) { serve(std::move(socket), wake, stop); },
        log_);
  }

  Result<void> reload() { return secure() ? tls_.reload() : Result<void>(); }
  [[nodiscard]] std::uint16_t port() const { return acceptor_->port(); }

 private:
  [[nodiscard]] bool secure() const { return !options_.certificate_file.empty() || !options_.key_file.empty(); }

  void serve(Fd socket, const WakeEvent& wake, const std::stop_token& stop) {
    block_sigpipe();
    const auto tls = secure() ? tls_.current() : nullptr;
    Session(options_, handler_, log_, HttpConnection(std::move(socket), tls, wake.get(), clock_), stop, clock_).run();
  }

  const HttpListenerOptions options_;
  const HttpHandler handler_;
  const Logger log_;
  const SystemClock clock_;
  ServerTls tls_;
  Fd listen_;                         // Until run().
  std::optional<Acceptor> acceptor_;  // Last: its threads use all of the above.
};

HttpListener::HttpListener(std::unique_ptr<Server> server) : server_(std::move(server)) {}
HttpListener::~HttpListener() = default;
std::uint16_t HttpListener::port() const { return server_->port(); }
Result<void> HttpListener::reload() { return server_->reload(); }

Result<std::unique_ptr<HttpListener>> HttpListener::start(HttpListenerOptions options, HttpHandler handler,
                                                          Logger log) {
  TRY(port, open_port(options.address, options.port));
  auto server = std::make_unique<Server>(std::move(options), std::move(handler), std::move(log), std::move(port));
  TRY_VOID(server->reload());
  server->run();
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(server)));
}

}  // namespace baton
