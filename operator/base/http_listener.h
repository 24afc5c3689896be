#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "operator/base/http.h"
#include "operator/base/sockets.h"

namespace baton {

/// A response that goes on: lines that reach the client as they are written. Copies are handles of one stream.
/// Thread-safe.
class LineStream {
 public:
  LineStream();
  /// Hands a line (without line end) to the connection, which sends it at once; never blocks. False when the stream is
  /// closed: the client went away, read too slowly (more than kMaxBacklog bytes waited), or close() was called.
  bool write_line(std::string_view line) const;
  /// Ends the response after what was written. Nothing if closed already.
  void close() const;
  [[nodiscard]] bool closed() const;

  static constexpr std::size_t kMaxBacklog = std::size_t{1} << 20;

 private:
  friend class LineStreamReader;
  struct State;
  std::shared_ptr<State> state_;
};

/// What a handler answers: a whole response, or a stream whose lines come later.
using HttpReply = std::variant<HttpResponse, LineStream>;

/// Gets each request, on a thread of the connection, so that it may block; concurrent calls happen. The stop token is
/// triggered when the listener stops. The handler checks headers["authorization"] itself.
using HttpHandler = std::function<HttpReply(const std::stop_token& stop, const HttpRequest& request)>;

struct HttpListenerOptions {
  std::string address = kEveryAddress;  ///< IPv4 or IPv6 address.
  std::uint16_t port = 0;               ///< 0: any free one, see HttpListener::port().
  std::string certificate_file = {};    ///< PEM chain and key. Both empty: plain HTTP.
  std::string key_file = {};
  std::size_t max_body = std::size_t{64} << 10;        ///< Bytes; a longer body is answered with 413.
  std::size_t max_connections = 128;                   ///< Further ones are closed at once.
  Duration request_timeout = std::chrono::seconds(5);  ///< TLS handshake, one request's arrival, one write's progress.
  Duration keep_alive = std::chrono::seconds(75);      ///< Silence between two requests of a connection.
};

/// A small HTTP/1.1 server (TLS 1.2 and up) for a handful of trusted clients. It is not cpprestsdk's, which cannot
/// bound a request body before it is in memory, drop a client that does not read, notice that a silent client left, or
/// take a new certificate without closing its port. One thread a connection; a stream wakes its thread through an
/// eventfd. Certificate files that changed are taken for the next connections by themselves, within a second.
class HttpListener {
 public:
  /// Binds and serves. Fails with kRetry (port taken) or kTerminal (address, certificate or key unusable).
  [[nodiscard]] static Result<std::unique_ptr<HttpListener>> start(HttpListenerOptions options, HttpHandler handler,
                                                                   Logger log);
  /// Stops: closes the port, ends streams, waits for running handlers.
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// Reads certificate and key now. Those in use stay when the new ones are unusable.
  Result<void> reload();

 private:
  class Server;
  explicit HttpListener(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace baton
