// Any bytes as the text of an index file, and as that of a GTID file. What is read must be what was written.

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/base/ensure.h"
#include "sidecar/binlog/gtid_file.h"
#include "sidecar/binlog/index_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto names = baton::binlog::parse_index(text)) {
    std::string again;
    for (const std::string& name : *names) again += name + "\n";
    ENSURE(again == text);
  }
  if (const auto set = baton::binlog::parse_gtid_file(text)) {
    const auto again = baton::binlog::parse_gtid_file("baton-gtid-set 1\n" + set->to_string() + "\nend\n");
    ENSURE(again && *again == *set);
  }
  return 0;
}
