// Any bytes as a peer's packets. The first byte says in which pieces they come. Whatever the pieces are, the same
// messages must come out, none over the limit; and what the writer makes of a message, the reader must read.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/ensure.h"
#include "sidecar/replication/packet.h"

namespace {

using baton::replication::OutputBuffer;
using baton::replication::PacketReader;
using baton::replication::PacketWriter;

constexpr std::size_t kLimit = 4096;

struct Read {
  std::vector<std::vector<std::byte>> messages;
  bool failed = false;
  bool operator==(const Read&) const = default;
};

Read read_in_pieces(std::span<const std::byte> bytes, std::size_t piece) {
  PacketReader reader(kLimit);
  Read read;
  while (!bytes.empty() && !read.failed) {
    const auto part = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(part.size());
    reader.feed(part);
    for (;;) {
      const auto message = reader.next();
      if (!message) read.failed = true;
      if (!message || !*message) break;
      ENSURE((*message)->size() <= kLimit);
      read.messages.emplace_back((*message)->begin(), (*message)->end());
    }
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const Read whole = read_in_pieces(bytes, std::max<std::size_t>(bytes.size(), 1));
  ENSURE(read_in_pieces(bytes, std::size_t{data[0]} + 1) == whole);
  OutputBuffer out(16);
  PacketWriter writer;
  for (const auto& message : whole.messages) writer.write(message, out);
  ENSURE(read_in_pieces(out.bytes(), std::max<std::size_t>(out.size(), 1)).messages == whole.messages);
  return 0;
}
