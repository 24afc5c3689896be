// Heads of HTTP requests, as any client could send them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/ensure.h"
#include "operator/base/http_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto head = baton::parse_request_head(bytes);
  if (!head || !*head) return 0;
  ENSURE((*head)->size <= size && bytes.substr(0, (*head)->size).ends_with("\r\n\r\n"));
  ENSURE((*head)->request.path_and_query.starts_with('/'));
  // What was taken does not depend on what follows it.
  const auto alone = baton::parse_request_head(bytes.substr(0, (*head)->size));
  ENSURE(alone && *alone && (*alone)->request.headers == (*head)->request.headers);
  return 0;
}
