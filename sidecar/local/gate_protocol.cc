#include "sidecar/local/gate_protocol.h"

#include <charconv>

namespace baton::sidecar {
namespace {

/// Digits of the longest number allowed, with room to tell "too long" from "not all here yet".
constexpr std::size_t kMaxDigits = 8;

/// Reads "number LF" at `offset` and moves past it; nothing if its end is not there yet.
Result<std::optional<std::size_t>> take_number(std::string_view bytes, std::size_t& offset, std::size_t limit) {
  const auto end = bytes.find('\n', offset);
  if (end == std::string_view::npos) {
    if (bytes.size() - offset > kMaxDigits) return fail(ErrorKind::kCorrupt, "a gate message has no valid length");
    return std::nullopt;
  }
  TRY(number, parse_gate_number(bytes.substr(offset, end - offset)));
  if (number < 0 || static_cast<std::size_t>(number) > limit) {
    return fail(ErrorKind::kCorrupt, "a gate message's length {} is above {}", number, limit);
  }
  offset = end + 1;
  return static_cast<std::size_t>(number);
}

}  // namespace

std::string encode(const GateMessage& message) {
  std::string bytes = std::to_string(message.size()) + '\n';
  for (const auto& field : message) bytes += std::to_string(field.size()) + '\n' + field + '\n';
  return bytes;
}

Result<std::optional<GateMessage>> GateMessageReader::next() {
  std::size_t offset = 0;
  TRY(count, take_number(buffer_, offset, kMaxFields));
  if (!count) return std::nullopt;
  if (*count == 0) return fail(ErrorKind::kCorrupt, "a gate message has no name");
  GateMessage message;
  for (std::size_t i = 0; i < *count; ++i) {
    TRY(length, take_number(buffer_, offset, kMaxField));
    if (!length || buffer_.size() < offset + *length + 1) return std::nullopt;
    if (buffer_[offset + *length] != '\n') return fail(ErrorKind::kCorrupt, "a gate message's field is overrun");
    message.push_back(buffer_.substr(offset, *length));
    offset += *length + 1;
  }
  buffer_.erase(0, offset);
  return message;
}

Result<int> parse_gate_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return fail(ErrorKind::kCorrupt, "'{}' is not a number", text.substr(0, 20));
  }
  return number;
}

}  // namespace baton::sidecar
