#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "operator/base/http.h"

namespace baton {

/// The part of HTTP/1.1 (RFC 9112) that our listener speaks, as functions on text. No I/O.
///
///   request = method SP target SP "HTTP/1.1" CRLF *( name ":" OWS value OWS CRLF ) CRLF body
///
/// Bodies come with Content-Length; chunked requests are refused (501), since no client of ours sends them.
struct RequestHead {
  HttpRequest request;        ///< Without body.
  std::size_t size = 0;       ///< Bytes of the head, empty line included.
  std::size_t body_size = 0;  ///< Content-Length.
  bool keep_alive = true;
};

inline constexpr std::size_t kMaxRequestHead = std::size_t{16} << 10;

/// Parses the head at the beginning of bytes. No value: more bytes are needed. The error is the status to answer: 400,
/// 431 (head longer than kMaxRequestHead), 501, 505.
[[nodiscard]] std::expected<std::optional<RequestHead>, int> parse_request_head(std::string_view bytes);

/// A whole response; with_body false for HEAD.
[[nodiscard]] std::string encode_response(const HttpResponse& response, bool keep_alive, bool with_body);
/// The head of a response whose chunks follow until the connection closes.
[[nodiscard]] std::string encode_stream_head();
/// One line as one chunk.
[[nodiscard]] std::string encode_line_chunk(std::string_view line);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace baton
