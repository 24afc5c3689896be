// Any bytes as a log file. The first byte says whether the file is the newest. The scan must end, stay in bounds and
// keep its promises; when the newest file can be read, no cut of it may show more than the whole.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/ensure.h"
#include "sidecar/binlog/scan.h"

namespace {

class MemorySource final : public baton::binlog::ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}

  baton::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    const auto rest = bytes_.subspan(std::min<std::size_t>(static_cast<std::size_t>(offset), bytes_.size()));
    const std::size_t count = std::min(into.size(), rest.size());
    std::ranges::copy(rest.first(count), into.begin());
    return count;
  }
  baton::Result<std::uint64_t> size() override { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool is_newest = (data[0] & 1) != 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  MemorySource whole(bytes);
  const auto scan = baton::binlog::scan_log(whole, "fuzz", is_newest);
  if (!scan) return 0;
  ENSURE(scan->end_position <= bytes.size());
  ENSURE(scan->has_previous || scan->transactions.empty());
  ENSURE(is_newest || scan->torn_tail_reason.empty());
  MemorySource part(bytes.first(static_cast<std::size_t>(data[0]) * bytes.size() / 256));
  const auto cut = baton::binlog::scan_log(part, "fuzz", true);
  ENSURE(!cut || scan->transactions.contains(cut->transactions));
  return 0;
}
