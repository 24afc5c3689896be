#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <format>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/binlog/log_index.h"
#include "sidecar/binlog/log_stream.h"
#include "tests/binlog/log_writer.h"

namespace baton::test {

/// A test with a folder of logs, removed at the end.
class LogFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "baton-logs-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  void append(const std::string& name, std::string_view bytes) const {
    std::ofstream(folder_ / name, std::ios::binary | std::ios::app) << bytes;
  }
  void list(const std::string& index, std::initializer_list<std::string_view> names) const {
    std::string text;
    for (const std::string_view name : names) text += std::format("./{}\n", name);
    write(index, text);
  }
  /// A log with the transactions 1-3, the first of which has so many events of 1 GB: holes in the file, which take no
  /// room on the disk and, since there are no checksums, no time. Gives the file's length.
  std::uint64_t write_long_log(const std::string& name, int events) const {
    constexpr std::uint64_t kLength = 1'000'000'000;
    LogWriter head(true, false);
    head.previous_gtids({}).gtid(1).query("BEGIN");
    std::ofstream file(folder_ / name, std::ios::binary);
    file << head.bytes();
    std::uint64_t at = head.size();
    for (int event = 0; event < events; ++event, at += kLength) {
      file.seekp(static_cast<std::streamoff>(at));
      file << LogWriter::number(1, 4) + LogWriter::number(30, 1) + LogWriter::number(7, 4) +
                  LogWriter::number(kLength, 4) + LogWriter::number((at + kLength) & 0xFFFF'FFFF, 4) +
                  LogWriter::number(0, 2);
    }
    LogWriter tail(true, false);
    tail.place(at).other(16, 8).rows_transaction(2).rows_transaction(3);
    const std::string rest = tail.bytes().substr(LogWriter(true, false).size());
    file.seekp(static_cast<std::streamoff>(at));
    file << rest;
    return at + rest.size();
  }
  [[nodiscard]] std::vector<binlog::LogListing> listings() const {
    return {{binlog::LogKind::kBinlog, folder_ / "binlog.index", {}},
            {binlog::LogKind::kRelay, folder_ / "relay.index", {}}};
  }

  std::filesystem::path folder_;
};

/// All that a stream gives until it has caught up.
struct Streamed {
  std::vector<binlog::LogBegin> begins;
  std::vector<std::string> stretches;  ///< The bytes behind each LogBegin.
  std::size_t chunks = 0;
  std::optional<Error> error;

  [[nodiscard]] std::string bytes() const {
    std::string all;
    for (const std::string& stretch : stretches) all += stretch;
    return all;
  }
};

/// Reads until the stream has caught up or fails, and checks that no chunk ends inside of a header.
inline Streamed drain(binlog::TransactionStream& stream) {
  Streamed got;
  std::size_t next_event = 0;  // Where the next event begins in the last stretch.
  while (true) {
    auto item = stream.next();
    if (!item) {
      got.error = item.error();
      return got;
    }
    if (std::holds_alternative<binlog::CaughtUp>(*item)) return got;
    if (auto* begin = std::get_if<binlog::LogBegin>(&*item)) {
      got.begins.push_back(std::move(*begin));
      got.stretches.emplace_back();
      next_event = 0;
      continue;
    }
    const auto bytes = std::get<binlog::Chunk>(*item).bytes;
    EXPECT_FALSE(bytes.empty());
    EXPECT_FALSE(got.stretches.empty()) << "bytes before the first LogBegin";
    if (bytes.empty() || got.stretches.empty()) return got;
    std::string& stretch = got.stretches.back();
    stretch.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    ++got.chunks;
    while (next_event < stretch.size()) {
      EXPECT_GE(stretch.size() - next_event, 19U) << "a chunk ends inside of a header";
      if (stretch.size() - next_event < 19) return got;
      std::uint32_t length = 0;
      for (std::size_t i = 4; i > 0; --i)
        length = length * 256 + static_cast<unsigned char>(stretch[next_event + 8 + i]);
      next_event += length;
    }
  }
}

/// What a reader with `reader` gets of a snapshot.
inline Streamed drain(const std::shared_ptr<const binlog::LogSnapshot>& snapshot, const GtidSet& reader) {
  binlog::LogStream stream([snapshot] { return snapshot; }, reader);
  return drain(stream);
}

}  // namespace baton::test
