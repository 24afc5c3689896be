#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/binlog/byte_source.h"
#include "sidecar/binlog/transaction_tracker.h"
#include "sidecar/replication/log_source.h"

namespace baton::test {

/// The plainest way to serve the binary logs that an index lists: reads each file from its beginning, header by header,
/// and keeps what is not wanted out. An independent second to the indexed reader. Believes what a living server has
/// written without asking whether it is synced.
class FileStream final : public binlog::TransactionStream {
 public:
  /// `have`: what the reader has.
  FileStream(std::filesystem::path index_file, GtidSet have);

  [[nodiscard]] Result<Item> next() override;

 private:
  struct Piece {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };
  enum class Found : std::uint8_t { kWanted, kNothing, kEnd };

  [[nodiscard]] Result<void> open_file();
  /// Walks on to the end of a transaction that is wanted, or to the end of the file.
  [[nodiscard]] Result<Found> walk();
  [[nodiscard]] Result<binlog::LogBegin> begin_log();
  [[nodiscard]] Result<std::vector<std::byte>> read(std::uint64_t offset, std::uint64_t length);

  std::filesystem::path index_file_;
  GtidSet have_;
  std::vector<std::filesystem::path> files_;
  bool looked_again_ = false;  ///< At the end of a file that was the last, after the next one had appeared.
  std::size_t file_ = 0;
  std::optional<binlog::FileSource> source_;
  std::uint64_t at_ = 0;  ///< Where the next transaction begins.
  binlog::TransactionTracker tracker_;
  bool announced_ = false;
  binlog::ChecksumAlgorithm checksum_{};
  Piece format_;
  std::deque<Piece> pieces_;
  std::vector<std::byte> chunk_;
};

class FileLogs final : public replication::LogSource {
 public:
  explicit FileLogs(std::filesystem::path index_file) : index_file_(std::move(index_file)) {}

  [[nodiscard]] Result<Opened> open(const replication::Receiver& receiver) override;
  [[nodiscard]] Sets sets() override { return {}; }

 private:
  std::filesystem::path index_file_;
};

}  // namespace baton::test
