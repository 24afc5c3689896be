#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "sidecar/binlog/byte_source.h"
#include "sidecar/bytes/byte_reader.h"

namespace baton::test {

/// Bytes in memory, which must outlive it.
class MemorySource final : public binlog::ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(ByteReader::as_text(bytes)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    const auto at = std::min<std::size_t>(static_cast<std::size_t>(offset), bytes_.size());
    const std::size_t count = std::min(into.size(), bytes_.size() - at);
    if (count > 0) std::memcpy(into.data(), bytes_.data() + at, count);
    return count;
  }
  Result<std::uint64_t> size() override { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

}  // namespace baton::test
