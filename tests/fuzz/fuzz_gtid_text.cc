// Any text: what can be read must print as its canonical form, and that form must mean the same and print as itself.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/ensure.h"
#include "engine/gtid/gtid_set.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& set : {baton::GtidSet::parse(text), baton::GtidSet::parse_owned(text)}) {
    if (!set) continue;
    const std::string canonical = set->to_string();
    const auto again = baton::GtidSet::parse(canonical);
    ENSURE(again && *again == *set && again->to_string() == canonical);
    ENSURE(set->contains(*again) && set->minus(*again).empty() && set->united(*again) == *set);
  }
  return 0;
}
