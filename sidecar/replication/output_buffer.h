#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace baton::replication {

/// Bytes on their way out. Unlike a vector it does not write zeros over what is about to be written: at a gigabyte a
/// second that would be felt. Not synchronised.
class OutputBuffer {
 public:
  explicit OutputBuffer(std::size_t capacity) : bytes_(allocate(capacity)), capacity_(capacity) {}

  [[nodiscard]] std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }

  /// `count` bytes behind the end, to be written and then committed. Grows when it must.
  [[nodiscard]] std::byte* reserve(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return bytes_.get() + size_;
  }
  /// Counts bytes that were written to what reserve() gave.
  void commit(std::size_t count) { size_ += count; }

  void append(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
    commit(bytes.size());
  }

 private:
  [[nodiscard]] static std::unique_ptr<std::byte[]> allocate(std::size_t capacity) {
    return std::make_unique_for_overwrite<std::byte[]>(capacity);
  }
  void grow(std::size_t count) {
    const std::size_t wanted = std::max(capacity_ * 2, size_ + count);
    auto larger = allocate(wanted);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = wanted;
  }

  std::unique_ptr<std::byte[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace baton::replication
