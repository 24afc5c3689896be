#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace baton::sidecar {

/// What a person needs of the end of mysqld's log, as one line: the texts of its last [ERROR] lines, oldest first, with
/// their numbers, "unknown variable 'x=1' (MY-000067)"; without any, the line that names a signal, else the last one.
/// Control characters become blanks. At most kMaxLastWords bytes.
[[nodiscard]] std::string last_words(std::string_view tail);

inline constexpr std::size_t kMaxLastWords = 500;

}  // namespace baton::sidecar
