#include "sidecar/bytes/byte_reader.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>

#include "tests/binlog/log_writer.h"

namespace baton {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(ByteReader, ReadsFixedIntegersLittleEndian) {
  const std::string bytes("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F", 15);
  ByteReader reader(bytes_of(bytes));
  std::uint8_t one = 0;
  std::uint16_t two = 0;
  std::uint32_t four = 0;
  std::uint64_t eight = 0;
  ASSERT_TRUE(reader.read_u8(one) && reader.read_u16(two) && reader.read_u32(four) && reader.read_u64(eight));
  EXPECT_EQ(one, 1);
  EXPECT_EQ(two, 0x0302);
  EXPECT_EQ(four, 0x07060504U);
  EXPECT_EQ(eight, 0x0F0E0D0C0B0A0908U);
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_FALSE(reader.read_u8(one));
}

TEST(ByteReader, AFailedReadChangesNothing) {
  const std::string bytes("\x01\x02\x03", 3);
  ByteReader reader(bytes_of(bytes));
  std::uint32_t value = 99;
  std::string_view text = "kept";
  EXPECT_FALSE(reader.read_u32(value));
  EXPECT_FALSE(reader.skip(4));
  EXPECT_FALSE(reader.read_string(4, text));
  EXPECT_FALSE(reader.read_string(std::numeric_limits<std::size_t>::max(), text));
  EXPECT_FALSE(reader.read_string_nul(text));
  EXPECT_EQ(value, 99U);
  EXPECT_EQ(text, "kept");
  EXPECT_EQ(reader.position(), 0U);
  EXPECT_TRUE(reader.read_u24(value));
  EXPECT_EQ(value, 0x030201U);
}

TEST(ByteReader, ReadsStrings) {
  const std::string bytes("ab\0\3xyz\5xy", 10);
  ByteReader reader(bytes_of(bytes));
  std::string_view text;
  ASSERT_TRUE(reader.read_string_nul(text));
  EXPECT_EQ(text, "ab");
  ASSERT_TRUE(reader.read_lenenc_string(text));
  EXPECT_EQ(text, "xyz");
  const auto before = reader.position();
  EXPECT_FALSE(reader.read_lenenc_string(text));
  EXPECT_EQ(reader.position(), before);
}

TEST(ByteReader, ReadsLengthEncodedIntegers) {
  const auto read = [](const std::string& bytes) -> std::int64_t {
    ByteReader reader(bytes_of(bytes));
    std::uint64_t value = 0;
    return reader.read_lenenc(value) && reader.remaining() == 0 ? static_cast<std::int64_t>(value) : -1;
  };
  EXPECT_EQ(read("\xFA"), 250);
  EXPECT_EQ(read("\xFC\x34\x12"), 0x1234);
  EXPECT_EQ(read("\xFD\x56\x34\x12"), 0x123456);
  EXPECT_EQ(read(std::string("\xFE\1\0\0\0\0\0\0\x10", 9)), 0x1000000000000001);
  EXPECT_EQ(read("\xFB"), -1);
  EXPECT_EQ(read("\xFF"), -1);
  EXPECT_EQ(read("\xFC\x34"), -1);
  EXPECT_EQ(read(""), -1);
}

TEST(ByteReader, ReadsVariableLengthIntegersOfEveryLength) {
  for (int bits = 0; bits <= 64; ++bits) {
    for (const std::uint64_t low : {std::uint64_t{0}, std::uint64_t{1}}) {
      const std::uint64_t value = (bits == 64 ? 0 : std::uint64_t{1} << bits) - low;
      const std::string bytes = test::LogWriter::varint(value);
      ByteReader reader(bytes_of(bytes));
      std::uint64_t read = 0;
      ASSERT_TRUE(reader.read_varint(read)) << value;
      EXPECT_EQ(read, value);
      EXPECT_EQ(reader.remaining(), 0U) << value;
      for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        ByteReader short_reader(bytes_of(bytes).first(cut));
        EXPECT_FALSE(short_reader.read_varint(read));
        EXPECT_EQ(short_reader.position(), 0U);
      }
    }
  }
}

TEST(ByteReader, ReadsSignedVariableLengthIntegers) {
  // The examples of libs/mysql/serialization/readme.md.
  const std::array<std::pair<std::string, std::int64_t>, 3> examples{{
      {"\xF3\xFF\x0F", 65535},
      {"\xEB\xFF\x0F", -65535},
      {"\xFB\xFF\x0F", -65536},
  }};
  for (const auto& [bytes, value] : examples) {
    ByteReader reader(bytes_of(bytes));
    std::int64_t read = 0;
    ASSERT_TRUE(reader.read_varint_signed(read));
    EXPECT_EQ(read, value);
  }
  const std::string least(9, '\xFF');
  ByteReader reader(bytes_of(least));
  std::int64_t read = 0;
  ASSERT_TRUE(reader.read_varint_signed(read));
  EXPECT_EQ(read, std::numeric_limits<std::int64_t>::min());
}

}  // namespace
}  // namespace baton
