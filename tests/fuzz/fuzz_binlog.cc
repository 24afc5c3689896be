// Any bytes as a log file. The first byte says whether the file is the newest. The scan must end, stay in bounds and
// keep its promises; when the newest file can be read, no cut of it may show more than the whole.

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/ensure.h"
#include "sidecar/binlog/scan.h"
#include "tests/binlog/memory_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool is_newest = (data[0] & 1) != 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  baton::test::MemorySource whole(bytes);
  const auto scan = baton::binlog::scan_log(whole, "fuzz", is_newest);
  if (!scan) return 0;
  ENSURE(scan->end_position <= bytes.size());
  ENSURE(scan->has_previous || scan->transactions.empty());
  ENSURE(is_newest || scan->torn_tail_reason.empty());
  baton::test::MemorySource part(bytes.first(static_cast<std::size_t>(data[0]) * bytes.size() / 256));
  const auto cut = baton::binlog::scan_log(part, "fuzz", true);
  ENSURE(!cut || scan->transactions.contains(cut->transactions));
  return 0;
}
