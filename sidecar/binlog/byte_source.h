#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "engine/base/result.h"

namespace baton::binlog {

/// Bytes at offsets: a file, or memory in tests.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// Fills `into` from `offset`, as far as there are bytes; the count of bytes read is short only at the end.
  /// Errors: kRetry when the disk refuses.
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) = 0;
  /// The number of bytes now; a log that a server writes grows.
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
};

/// Which file it is, whatever its name.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// A file opened for reading. Not synchronised.
class FileSource final : public ByteSource {
 public:
  /// Errors: kNotFound when there is no such file; kRetry for the rest.
  [[nodiscard]] static Result<FileSource> open(const std::filesystem::path& path);

  FileSource(FileSource&& other) noexcept;
  FileSource& operator=(FileSource&& other) noexcept;
  ~FileSource() override;

  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override;
  [[nodiscard]] Result<std::uint64_t> size() override;
  /// Errors: kRetry.
  [[nodiscard]] Result<FileIdentity> identity() const;

 private:
  FileSource(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace baton::binlog
