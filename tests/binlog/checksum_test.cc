#include "sidecar/binlog/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/binlog/log_writer.h"

namespace baton::binlog {
namespace {

using test::LogWriter;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string random_text(std::size_t length) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(length));
  std::string text(length, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// Against the definition, bit by bit: lengths on both sides of each way to compute it, and what is no whole block.
TEST(BinlogChecksum, IsThatOfTheDefinition) {
  for (std::size_t length = 0; length < 1100; ++length) {
    const std::string text = random_text(length);
    ASSERT_EQ(crc32_of(0, bytes_of(text)), LogWriter::crc32(text)) << length;
  }
}

TEST(BinlogChecksum, GoesOnFromAnyPlace) {
  for (const std::size_t length : {0U, 1U, 15U, 16U, 17U, 19U, 40U, 100U, 1023U, 1024U, 5000U}) {
    const std::string text = random_text(length);
    const std::uint32_t whole = LogWriter::crc32(text);
    for (std::size_t cut = 0; cut <= length; cut += length < 200 ? 1 : 61) {
      const std::uint32_t first = crc32_of(0, bytes_of(text).first(cut));
      ASSERT_EQ(crc32_of(first, bytes_of(text).subspan(cut)), whole) << length << " cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace baton::binlog
