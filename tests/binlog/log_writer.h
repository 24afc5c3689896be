#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/gtid/gtid_set.h"

namespace baton::test {

/// Writes binary logs byte by byte from the format's description. It shares no code with the reader under test (even
/// the checksum is computed another way), so that both would have to be wrong in the same way to agree.
class LogWriter {
 public:
  static constexpr std::string_view kUuid = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
  static constexpr std::string_view kOtherUuid = "00000000-0000-0000-0000-000000000001";

  explicit LogWriter(bool in_use = true, bool checksum = true) {
    bytes_ =
        "\xFE"
        "bin";
    description(checksum, in_use ? 1 : 0);
  }

  /// A relay log: the replica's own FORMAT_DESCRIPTION.
  static LogWriter relay(bool checksum = true) {
    LogWriter writer;
    writer.bytes_.resize(4);
    writer.description(checksum, 0x40);
    return writer;
  }

  /// What a receiver writes for a new connection: ROTATE with the place in the source's file, and the source's
  /// FORMAT_DESCRIPTION. `checksum`: what the source uses from here on.
  LogWriter& connection(std::uint64_t source_position, bool checksum = true) {
    shift_ = source_position - bytes_.size();
    event(4, number(source_position, 8) + "source.000001", 0x20);
    shift_ = 126 - bytes_.size();
    description(checksum, 0);
    shift_ = source_position - bytes_.size();
    return *this;
  }

  /// What follows stands at `offset` of a longer file.
  LogWriter& place(std::uint64_t offset) {
    shift_ = offset - bytes_.size();
    return *this;
  }

  LogWriter& description(bool checksum, int flags) {
    checksum_ = checksum;
    std::string body = number(4, 2) + std::string("9.7.4").append(45, '\0') + number(1'700'000'000, 4) + number(19, 1);
    body += std::string(42, '\x07') + number(checksum ? 1 : 0, 1);
    event(15, body, flags, true);
    return *this;
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  /// The offset behind magic, FORMAT_DESCRIPTION and PREVIOUS_GTIDS.
  [[nodiscard]] std::uint64_t head_end() const { return head_end_; }
  /// Where transactions end, and the text of their GTID (empty for anonymous ones), in order.
  [[nodiscard]] const std::vector<std::pair<std::uint64_t, std::string>>& ends() const { return ends_; }
  /// Every offset outside of transactions at which an event ends.
  [[nodiscard]] const std::vector<std::uint64_t>& rests() const { return rests_; }

  struct Source {
    std::string_view uuid;
    std::string_view tag;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> intervals;  ///< First and last.
  };
  LogWriter& previous_gtids(const std::vector<Source>& sources, bool tagged = false) {
    const std::uint64_t count = sources.size();
    std::string body = number(tagged ? (std::uint64_t{1} << 56) | (count << 8) | 1 : count, 8);
    for (const auto& [uuid, tag, intervals] : sources) {
      body += uuid_bytes(uuid);
      if (tagged) body += number(tag.size() << 1, 1) + std::string(tag);
      body += number(intervals.size(), 8);
      for (const auto& [first, last] : intervals) body += number(first, 8) + number(last + 1, 8);
    }
    event(35, body);
    head_end_ = bytes_.size();
    return rest();
  }

  LogWriter& gtid(std::uint64_t gno, std::string_view uuid = kUuid) {
    event(33, std::string(1, '\0') + uuid_bytes(uuid) + number(gno, 8) + number(2, 1) + std::string(16, '\1') +
                  number(1, 7) + number(1234, 1) + number(90704, 4));
    open_ = std::string(uuid) + ":" + std::to_string(gno);
    return *this;
  }
  LogWriter& tagged_gtid(std::uint64_t gno, std::string_view tag, std::string_view uuid = kUuid) {
    std::string fields = varint(0) + varint(1) + varint(1);
    for (const char byte : uuid_bytes(uuid)) fields += varint(static_cast<unsigned char>(byte));
    fields += varint(2) + varint(gno << 1) + varint(3) + varint(tag.size()) + std::string(tag);
    fields += varint(4) + varint(7 << 1) + varint(5) + varint(8 << 1) + varint(6) + varint(1'700'000'000'000'000);
    fields += varint(8) + varint(1234) + varint(9) + varint(90704);
    // version 1, the size of the whole message, the last field that must be known
    std::string body = varint(1) + varint(fields.size() + 3) + varint(9) + fields;
    event(42, body);
    open_ = std::string(uuid) + ":" + std::string(tag) + ":" + std::to_string(gno);
    return *this;
  }
  LogWriter& anonymous_gtid() {
    event(34, std::string(42, '\0'));
    open_.clear();
    return *this;
  }
  LogWriter& query(std::string_view text, std::size_t status_variables = 5) {
    event(2, std::string(8, '\0') + number(4, 1) + number(0, 2) + number(status_variables, 2) +
                 std::string(status_variables, '\5') + std::string("shop") + '\0' + std::string(text));
    return *this;
  }
  LogWriter& other(int type, std::size_t length, int flags = 0) {
    event(type, std::string(length, '\x5A'), flags);
    return *this;
  }
  /// Says that a transaction ends here.
  LogWriter& end() {
    ends_.emplace_back(bytes_.size(), open_);
    return rest();
  }
  /// Says that a reader may rest here: no transaction is open.
  LogWriter& rest() {
    rests_.push_back(bytes_.size());
    return *this;
  }

  LogWriter& rows_transaction(std::uint64_t gno, std::size_t row_bytes = 30) {
    return gtid(gno).query("BEGIN").other(19, 20).other(30, row_bytes).other(16, 8).end();
  }
  LogWriter& rotate() { return other(4, 21).rest(); }
  LogWriter& stop() { return other(3, 0).rest(); }

  void event(int type, const std::string& body, int flags = 0, bool always_checksum = false) {
    const bool with_checksum = checksum_ || always_checksum;
    const std::size_t length = 19 + body.size() + (with_checksum ? 4 : 0);
    const std::uint64_t end = bytes_.size() + length + shift_;
    const auto header = [&](int header_flags) {
      return number(1'700'000'000, 4) + number(static_cast<std::uint64_t>(type), 1) + number(7, 4) + number(length, 4) +
             number(end & 0xFFFF'FFFF, 4) + number(static_cast<std::uint64_t>(header_flags), 2);
    };
    bytes_ += header(flags) + body;
    if (with_checksum) bytes_ += number(crc32((type == 15 ? header(flags & ~1) : header(flags)) + body), 4);
  }

  static std::string number(std::uint64_t value, int bytes) {
    std::string text;
    for (; bytes > 0; --bytes, value >>= 8) text.push_back(static_cast<char>(value & 0xFF));
    return text;
  }

  static std::string varint(std::uint64_t value) {
    for (int length = 1; length <= 8; ++length) {
      if (length * 7 < 64 && value >= (std::uint64_t{1} << (length * 7))) continue;
      return number((value << length) | ((std::uint64_t{1} << (length - 1)) - 1), length);
    }
    return "\xFF" + number(value, 8);
  }

  static std::string uuid_bytes(std::string_view uuid) {
    std::string digits;
    for (const char c : uuid) {
      if (c != '-') digits.push_back(c);
    }
    std::string bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    }
    return bytes;
  }

  static std::uint32_t crc32(const std::string& bytes) {
    std::uint32_t crc = 0xFFFF'FFFF;
    for (const char c : bytes) {
      crc ^= static_cast<unsigned char>(c);
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB8'8320U : 0U);
    }
    return ~crc;
  }

 private:
  bool checksum_ = true;
  std::uint64_t shift_ = 0;  ///< What log_pos has more than the place in this file, modulo 2^32.
  std::string bytes_;
  std::uint64_t head_end_ = 0;
  std::string open_;
  std::vector<std::pair<std::uint64_t, std::string>> ends_;
  std::vector<std::uint64_t> rests_;
};

inline const std::string kUuid(LogWriter::kUuid);
inline GtidSet set_of(const std::string& text) { return GtidSet::parse(text).value(); }

}  // namespace baton::test
