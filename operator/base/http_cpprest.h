#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "operator/base/http.h"

namespace baton {

/// How to reach one HTTP server, and whom to believe.
struct HttpClientOptions {
  std::string base_url;      ///< "https://10.0.0.7:8443", without path.
  std::string ca_pem = {};   ///< PEM of the authorities that may sign the server; nobody else is trusted.
  std::string ca_file = {};  ///< The same as a file, read anew for each connection. Both empty: the system's.
  std::string client_certificate_pem = {};  ///< For servers that ask for one; with client_key_pem.
  std::string client_key_pem = {};
  /// Name that the server's certificate must bear (SAN DNS), when it is not the host of base_url: pods are reached by
  /// address and known by name. It is also sent as SNI and Host.
  std::string verify_name = {};
  /// Gives the bearer token, asked before each request, so that a rotated file is seen. Empty: none is sent.
  std::function<std::string()> token = {};
  Duration connect_timeout = std::chrono::seconds(2);  ///< Until the request is on its way: TCP, TLS, sending.
  Duration idle_timeout = std::chrono::seconds(30);    ///< Longest silence of the server, in send and stream_lines.
  /// Most bytes of one response that are kept: the whole body in send; in stream_lines a line, and what has arrived
  /// while on_line was busy. A server that sends more is not listened to any further. (cpprestsdk itself holds one
  /// chunk of a chunked response whole, however long; only idle_timeout and the deadline bound that.)
  std::size_t max_size = std::size_t{32} << 20;
};

/// HttpPort over cpprestsdk. Connections are kept alive and reused. Blocks the calling thread only.
class HttpCpprest final : public HttpPort {
 public:
  /// The clock must outlive the client.
  HttpCpprest(HttpClientOptions options, const Clock& clock);
  ~HttpCpprest() override;
  HttpCpprest(const HttpCpprest&) = delete;
  HttpCpprest& operator=(const HttpCpprest&) = delete;

  Result<HttpResponse> send(const Context& context, HttpRequest request) override;
  Result<void> stream_lines(const Context& context, HttpRequest request,
                            std::function<bool(std::string_view line)> on_line) override;

 private:
  class Client;
  std::unique_ptr<Client> client_;
};

/// Bounds cpprestsdk's own thread pool (40 threads if left alone). To be called once, in main, before the first
/// client; false if the pool exists already.
bool init_http_threads(int count);

}  // namespace baton
