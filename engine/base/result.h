#pragma once

#include <cstdint>
#include <expected>
#include <format>
#include <string>
#include <string_view>
#include <utility>

namespace baton {

/// What the caller must do about a failure. Chosen by the one who sees the failure first; never by its text.
enum class ErrorKind : std::uint8_t {
  kRetry,      ///< The other side was away or slow: the same call may succeed later.
  kConflict,   ///< Somebody else wrote first: read again, decide again.
  kGone,       ///< The history asked for is no longer kept: list again.
  kNotFound,   ///< The thing does not exist.
  kTerminal,   ///< Wrong input: the same call will fail again until something is changed.
  kUnsafe,     ///< Refused by a safety rule; the text names the rule and what is missing.
  kCancelled,  ///< The caller's stop token or deadline ended the call; its effect is unknown.
  kCorrupt,    ///< Bytes did not have the form that they must have.
  kDenied,     ///< One side does not take the other's credentials; they may be on their way: the same call, later.
};

/// A failure: what to do about it, and a sentence for a person.
struct Error {
  ErrorKind kind = ErrorKind::kRetry;
  std::string what;

  friend bool operator==(const Error&, const Error&) = default;
};

/// A value or a failure. Baton's own interfaces throw nothing.
template <class T>
using Result = std::expected<T, Error>;

/// Makes a failure: `return fail(ErrorKind::kRetry, "no answer from {}", name);`
template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorKind kind, std::format_string<Args...> text, Args&&... args) {
  return std::unexpected(Error{kind, std::format(text, std::forward<Args>(args)...)});
}

/// Puts the outer operation before the text of a failure: "failed to stop the receiver of shop-2: lost connection".
[[nodiscard]] inline std::unexpected<Error> wrap(std::string_view operation, Error error) {
  return std::unexpected(Error{error.kind, std::format("{}: {}", operation, error.what)});
}

[[nodiscard]] constexpr std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kRetry: return "Retry";
    case ErrorKind::kConflict: return "Conflict";
    case ErrorKind::kGone: return "Gone";
    case ErrorKind::kNotFound: return "NotFound";
    case ErrorKind::kTerminal: return "Terminal";
    case ErrorKind::kUnsafe: return "Unsafe";
    case ErrorKind::kCancelled: return "Cancelled";
    case ErrorKind::kCorrupt: return "Corrupt";
    case ErrorKind::kDenied: return "Denied";
  }
  std::unreachable();
}

}  // namespace baton

#define BATON_CONCAT_INNER(a, b) a##b
#define BATON_CONCAT(a, b) BATON_CONCAT_INNER(a, b)

/// TRY(name, expression): declares `name` with the value of a Result, or returns its failure.
#define TRY(name, expression)                                                       \
  auto BATON_CONCAT(try_result_, __LINE__) = (expression);                          \
  if (!BATON_CONCAT(try_result_, __LINE__))                                         \
    return std::unexpected(std::move(BATON_CONCAT(try_result_, __LINE__)).error()); \
  auto name = *std::move(BATON_CONCAT(try_result_, __LINE__))

/// TRY_VOID(expression): returns the failure of a Result, or goes on.
#define TRY_VOID(expression)                                                                                \
  do {                                                                                                      \
    if (auto try_result = (expression); !try_result) return std::unexpected(std::move(try_result).error()); \
  } while (false)
