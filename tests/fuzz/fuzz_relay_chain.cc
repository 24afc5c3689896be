// Any bytes as a relay log, or (by the first byte) a binary log, that grows in steps. A walk that gets the bytes piece
// by piece must know what one that gets them at once knows; segments must lie in order within the file and hold what
// the file holds; and what a stream would send of each segment must be whole transactions.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/ensure.h"
#include "sidecar/binlog/log_walk.h"
#include "tests/binlog/memory_source.h"

namespace {

using namespace baton::binlog;
using baton::test::MemorySource;

void check_segments(ByteSource& source, const LogContents& contents, LogKind kind, std::uint64_t size) {
  baton::GtidSet all;
  std::uint64_t behind = 0;
  for (const Segment& segment : contents.segments) {
    ENSURE(segment.begin >= behind && segment.begin < segment.end && segment.end <= size);
    ENSURE(segment.description < contents.descriptions.size());
    behind = segment.end;
    all = all.united(segment.transactions);
    const ChecksumAlgorithm checksum = contents.descriptions[segment.description].checksum;
    TransactionReader reader(EventReader(source, segment.begin, segment.end, {}, {.kind = kind, .checksum = checksum}),
                             kind, true);
    baton::GtidSet found;
    std::uint64_t bytes = 0;
    while (true) {
      const auto item = reader.next(size + 1);
      ENSURE(item && *item && **item != TransactionReader::Item::kDamage);
      if (**item == TransactionReader::Item::kEnd) break;
      if (**item != TransactionReader::Item::kTransaction) continue;
      bytes += reader.transaction().end - reader.transaction().begin;
      if (reader.transaction().has_gtid)
        found.add(reader.transaction().gtid.source(), reader.transaction().gtid.number);
    }
    ENSURE(!reader.is_open() && found == segment.transactions);
    ENSURE(!segment.is_plain || bytes == segment.end - segment.begin);
  }
  ENSURE(all == contents.transactions);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const LogKind kind = (data[0] & 1) != 0 ? LogKind::kRelay : LogKind::kBinlog;
  const std::size_t pace = 1 + data[1];
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(2);
  MemorySource source(bytes);
  LogWalk at_once(source, "fuzz", kind);
  const auto read = at_once.read_on({.tail = Tail::kNewest, .end = bytes.size()});
  if (!read) return 0;
  check_segments(source, at_once.contents(), kind, bytes.size());
  LogWalk growing(source, "fuzz", kind);
  for (std::size_t end = 0; end < bytes.size() + pace; end += pace) {
    const LogWalk::Step step{.tail = Tail::kGrowing, .end = std::min(end, bytes.size())};
    ENSURE(growing.read_on(step));
    ENSURE(at_once.contents().transactions.contains(growing.contents().transactions));
  }
  ENSURE(growing.contents().transactions == at_once.contents().transactions);
  ENSURE(growing.contents().parts == at_once.contents().parts);
  return 0;
}
