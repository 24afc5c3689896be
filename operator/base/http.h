#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "operator/base/context.h"

namespace baton {

/// Header names are in lower case.
using HttpHeaders = std::map<std::string, std::string, std::less<>>;

struct HttpRequest {
  std::string method = "GET";
  std::string path_and_query = "/";  ///< Percent-encoded already.
  HttpHeaders headers = {};
  std::string body = {};
  std::string content_type = {};  ///< Sent only with a body; empty means application/json.
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers = {};
  std::string body = {};
  std::string content_type = {};  ///< Only for responses that we write; empty means application/json.
};

/// What a status of 300 and above asks the caller to do: 401 kDenied (a token that is being rotated), 404 kNotFound,
/// 409 kConflict, 410 kGone, 408, 425, 429 and 5xx kRetry, every other one kTerminal.
[[nodiscard]] ErrorKind kind_of_status(int status);

/// One HTTP server as a client sees it. Thread-safe; calls of several threads run side by side.
class HttpPort {
 public:
  virtual ~HttpPort() = default;

  /// Sends a request and waits for the whole response. A response of any status is a value. Fails with kRetry (no
  /// connection, connection lost: whether the server acted is unknown), kCancelled (stop or deadline; effect unknown),
  /// kDenied (the peer's certificate is not the expected one), kCorrupt (it sends more than is believed), kTerminal
  /// (our own settings are unusable).
  virtual Result<HttpResponse> send(const Context& context, HttpRequest request) = 0;

  /// Sends a request and hands each line of the response to on_line as it arrives, on the calling thread, without the
  /// line end. Ends well when the server ended the stream or on_line returned false. Fails as send does, with
  /// kind_of_status and the server's text when the status is not 2xx, and with kRetry when nothing at all arrived
  /// within the idle limit.
  virtual Result<void> stream_lines(const Context& context, HttpRequest request,
                                    std::function<bool(std::string_view line)> on_line) = 0;
};

}  // namespace baton
