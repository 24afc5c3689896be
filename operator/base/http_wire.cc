#include "operator/base/http_wire.h"

#include <algorithm>
#include <charconv>
#include <format>

namespace baton {
namespace {

// tchar of RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.contains(c);
  });
}

bool is_visible(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
  }
}

// Status of the error, or 0.
int parse_request_line(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return 400;
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, second - first - 1);
  const auto version = line.substr(second + 1);
  if (!is_token(method) || !is_visible(target) || target.front() != '/') return 400;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return version.starts_with("HTTP/") ? 505 : 400;
  head.request.method = method;
  head.request.path_and_query = target;
  head.keep_alive = version == "HTTP/1.1";
  return 0;
}

int parse_field(std::string_view line, RequestHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return 400;
  const auto value = trim(line.substr(colon + 1));
  if (std::ranges::any_of(value, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; })) return 400;
  auto [at, fresh] = head.request.headers.try_emplace(lower(line.substr(0, colon)), value);
  if (fresh) return 0;
  // Two lengths are how requests are smuggled, two tokens how checks are confused; other repeated fields are lists.
  if (at->first == "content-length" || at->first == "authorization" || at->first == "host") return 400;
  at->second.append(", ").append(value);
  return 0;
}

// What the fields say about the message itself.
int interpret_fields(RequestHead& head) {
  const auto& headers = head.request.headers;
  if (headers.contains("transfer-encoding")) return 501;
  if (const auto length = headers.find("content-length"); length != headers.end()) {
    const auto& text = length->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), head.body_size);
    if (error != std::errc() || end != text.data() + text.size()) return 400;
  }
  if (const auto connection = headers.find("connection"); connection != headers.end()) {
    if (lower(connection->second).contains("close")) head.keep_alive = false;
  }
  if (const auto type = headers.find("content-type"); type != headers.end()) head.request.content_type = type->second;
  return 0;
}

}  // namespace

std::expected<std::optional<RequestHead>, int> parse_request_head(std::string_view bytes) {
  const auto end = bytes.substr(0, kMaxRequestHead).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxRequestHead) return std::unexpected(431);
    return std::nullopt;
  }
  RequestHead head;
  head.size = end + 4;
  auto rest = bytes.substr(0, end + 2);
  for (bool first = true; !rest.empty(); first = false) {
    const auto line_end = rest.find("\r\n");
    const auto line = rest.substr(0, line_end);
    rest.remove_prefix(line_end + 2);
    if (const int status = first ? parse_request_line(line, head) : parse_field(line, head); status != 0) {
      return std::unexpected(status);
    }
  }
  if (const int status = interpret_fields(head); status != 0) return std::unexpected(status);
  return head;
}

std::string encode_response(const HttpResponse& response, bool keep_alive, bool with_body) {
  auto text = std::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", response.status, reason(response.status),
      response.content_type.empty() ? "application/json" : response.content_type.c_str(), response.body.size());
  for (const auto& [name, value] : response.headers) text += std::format("{}: {}\r\n", name, value);
  text += keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  if (with_body) text += response.body;
  return text;
}

std::string encode_stream_head() {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
}

std::string encode_line_chunk(std::string_view line) { return std::format("{:x}\r\n{}\n\r\n", line.size() + 1, line); }

}  // namespace baton
