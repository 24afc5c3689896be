#include "operator/base/http_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>

#include "operator/base/http_connection.h"
#include "operator/base/http_wire.h"

namespace baton {
namespace {

Fd make_event() { return Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
void raise_event(int event) { ::eventfd_write(event, 1); }
void lower_event(int event) {
  eventfd_t ignored = 0;
  ::eventfd_read(event, &ignored);
}

}  // namespace

struct LineStream::State {
  std::mutex mutex;
  std::string pending;    // Chunks that the connection has not taken yet.
  bool finished = false;  // No more lines will be taken.
  bool overrun = false;
  Fd event = make_event();
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
  raise_event(state_->event.get());
  return !closed();
}

void LineStream::close() const {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->finished = true;
  }
  raise_event(state_->event.get());
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
    lower_event(state_->event.get());
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

/// What changes when a certificate file is replaced, also by the symbolic link switch of a mounted Secret.
struct FileStamp {
  ino_t inode = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

FileStamp stamp_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

Result<Fd> open_port(const HttpListenerOptions& options) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  const bool is_six = ::inet_pton(AF_INET6, options.address.c_str(), &six.sin6_addr) == 1;
  if (!is_six && ::inet_pton(AF_INET, options.address.c_str(), &four.sin_addr) != 1) {
    return fail(ErrorKind::kTerminal, "'{}' is no IP address", options.address);
  }
  six.sin6_family = AF_INET6;
  four.sin_family = AF_INET;
  six.sin6_port = four.sin_port = htons(options.port);
  Fd fd(::socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto* address = is_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  const auto size = static_cast<socklen_t>(is_six ? sizeof(six) : sizeof(four));
  if (::bind(fd.get(), address, size) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
    return fail(ErrorKind::kRetry, "cannot listen on {} port {}: {}", options.address, options.port,
                std::strerror(errno));
  }
  return fd;
}

std::uint16_t port_of(const Fd& fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof(address);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);  // In the same place as sockaddr_in's.
}

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
      : options_(std::move(options)), handler_(std::move(handler)), log_(std::move(log)), listen_(std::move(port)) {}

  ~Server() {
    acceptor_.request_stop();
    if (acceptor_.joinable()) acceptor_.join();
    for (auto& connection : connections_) connection.thread.request_stop();
  }

  void run() {
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_loop(stop); });
  }

  Result<void> reload() {
    if (!secure()) return {};
    const auto stamps = current_stamps();
    TRY(tls, load_server_tls(options_.certificate_file, options_.key_file));
    const std::scoped_lock lock(mutex_);
    tls_ = std::move(tls);
    stamps_ = stamps;
    return {};
  }

  [[nodiscard]] std::uint16_t port() const { return port_of(listen_); }

 private:
  struct Connection {
    Fd wake = make_event();
    std::atomic<bool> over = false;
    std::jthread thread;  // Last: joined before what it uses goes.
  };
  using Stamps = std::array<FileStamp, 2>;

  [[nodiscard]] bool secure() const { return !options_.certificate_file.empty() || !options_.key_file.empty(); }
  [[nodiscard]] Stamps current_stamps() const {
    return {stamp_of(options_.certificate_file), stamp_of(options_.key_file)};
  }

  TlsContext current_tls() {
    if (!secure()) return nullptr;
    const auto stamps = current_stamps();
    std::unique_lock lock(mutex_);
    if (stamps != stamps_) {
      lock.unlock();
      // Files that do not match are replaced one after the other; the next connection looks again.
      if (auto loaded = reload(); !loaded) {
        log_.warn("changed certificate is not usable, the former stays", {{"error", loaded.error().what}});
      }
      lock.lock();
    }
    return tls_;
  }

  void accept_loop(const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] { raise_event(wake_.get()); });
    while (!stop.stop_requested()) {
      std::array<pollfd, 2> fds{{{listen_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
      constexpr int kReapMilliseconds = 5000;  // Threads of ended connections are joined at least this often.
      ::poll(fds.data(), fds.size(), kReapMilliseconds);
      connections_.remove_if([](const Connection& connection) { return connection.over.load(); });
      if (fds[0].revents != 0 && !stop.stop_requested()) accept_one();
    }
  }

  void accept_one() {
    Fd socket(::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.get() < 0) {
      constexpr int kPauseMilliseconds = 100;  // Out of descriptors: the queue of the port waits.
      pollfd wake{wake_.get(), POLLIN, 0};
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) ::poll(&wake, 1, kPauseMilliseconds);
      return;
    }
    if (connections_.size() >= options_.max_connections) {
      log_.warn("too many connections, a new one is closed", {{"limit", options_.max_connections}});
      return;
    }
    auto& connection = connections_.emplace_back();
    connection.thread = std::jthread(
        [this, &connection, socket = std::move(socket), tls = current_tls()](const std::stop_token& stop) mutable {
          block_sigpipe();
          const std::stop_callback wake(stop, [&] { raise_event(connection.wake.get()); });
          Session(options_, handler_, log_, HttpConnection(std::move(socket), tls, connection.wake.get(), clock_), stop,
                  clock_)
              .run();
          connection.over = true;
        });
  }

  const HttpListenerOptions options_;
  const HttpHandler handler_;
  const Logger log_;
  const SystemClock clock_;
  Fd listen_;
  Fd wake_ = make_event();
  std::mutex mutex_;  // Guards tls_ and stamps_.
  TlsContext tls_;
  Stamps stamps_;
  std::list<Connection> connections_;  // Of the acceptor's thread; of the destructor after it.
  std::jthread acceptor_;
};

HttpListener::HttpListener(std::unique_ptr<Server> server) : server_(std::move(server)) {}
HttpListener::~HttpListener() = default;
std::uint16_t HttpListener::port() const { return server_->port(); }
Result<void> HttpListener::reload() { return server_->reload(); }

Result<std::unique_ptr<HttpListener>> HttpListener::start(HttpListenerOptions options, HttpHandler handler,
                                                          Logger log) {
  TRY(port, open_port(options));
  auto server = std::make_unique<Server>(std::move(options), std::move(handler), std::move(log), std::move(port));
  TRY_VOID(server->reload());
  server->run();
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(server)));
}

}  // namespace baton
