#pragma once

#include <string>
#include <string_view>

namespace baton::sidecar {

/// What an account says of its own password, in its attribute `baton_password`, so that it can be told whether it has a
/// certain one already: the server itself cannot be asked. A salt of its own and as much work to guess as the server's
/// own digest (caching_sha2_password's 5000 rounds), since who may read mysql.user sees both.
///
///   mark = salt ":" digest        both in hexadecimal digits
[[nodiscard]] std::string password_mark(std::string_view password);

/// Whether `mark` was made of this password; false for what is no mark.
[[nodiscard]] bool is_mark_of(std::string_view mark, std::string_view password);

}  // namespace baton::sidecar
