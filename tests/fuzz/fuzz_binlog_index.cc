// Any bytes as the text of an index file. What is read must be what was written.

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/base/ensure.h"
#include "sidecar/binlog/index_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto names = baton::binlog::parse_index(text)) {
    std::string again;
    for (const std::string& name : *names) again += name + "\n";
    ENSURE(again == text);
  }
  return 0;
}
