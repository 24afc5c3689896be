#include "sidecar/local/last_words.h"

#include <algorithm>
#include <ranges>
#include <vector>

namespace baton::sidecar {
namespace {

constexpr std::string_view kErrorLabel = "[ERROR] ";
/// mysqld's signal handler, which writes no [ERROR] line (sql/signal_handler.cc).
constexpr std::string_view kSignalPhrase = "mysqld got signal";
constexpr std::string_view kJoint = "; ";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// Takes "[…] " off the front; empty if there is none.
std::string_view take_label(std::string_view& text) {
  const auto end = text.starts_with('[') ? text.find("] ") : std::string_view::npos;
  if (end == std::string_view::npos) return {};
  const std::string_view label = text.substr(1, end - 1);
  text.remove_prefix(end + 2);
  return label;
}

/// The text of an error line (sql/server_component/log_sink_trad.cc: time, thread, [ERROR] [number] [subsystem] text).
std::string error_text(std::string_view line) {
  std::string_view text = line.substr(line.find(kErrorLabel) + kErrorLabel.size());
  const std::string_view number = take_label(text);
  take_label(text);
  std::string result(trimmed(text));
  if (!number.empty()) result += " (" + std::string(number) + ")";
  return result;
}

/// The last line without [ERROR] that says most.
std::string_view other_line(const std::vector<std::string_view>& lines) {
  if (lines.empty()) return {};
  const auto told = std::ranges::find_if(lines, [](std::string_view line) { return line.contains(kSignalPhrase); });
  return told != lines.end() ? *told : lines.back();
}

/// Cuts at the end, never within a character of UTF-8.
void shorten(std::string& text) {
  if (text.size() <= kMaxLastWords) return;
  std::size_t end = kMaxLastWords;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
}

}  // namespace

std::string last_words(std::string_view tail) {
  std::vector<std::string_view> lines;
  std::vector<std::string> errors;
  for (const auto part : std::views::split(tail, '\n')) {
    const std::string_view line = trimmed(std::string_view(part));
    if (line.empty()) continue;
    lines.push_back(line);
    if (line.contains(kErrorLabel)) errors.push_back(error_text(line));
  }
  // It closes every failed start and says nothing.
  if (errors.size() > 1 && errors.back().starts_with("Aborting")) errors.pop_back();
  std::string result(errors.empty() ? other_line(lines) : errors.back());
  for (const std::string& error : errors | std::views::reverse | std::views::drop(1)) {
    if (error.size() + kJoint.size() + result.size() > kMaxLastWords) break;
    result.insert(0, error + std::string(kJoint));
  }
  shorten(result);
  std::ranges::replace_if(result, [](unsigned char c) { return c < 0x20U || c == 0x7FU; }, ' ');
  return result;
}

}  // namespace baton::sidecar
