#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/gtid/gtid_set.h"

namespace baton::test {

/// A second reader of logs, written another way on purpose: it slices all bytes into events first, cuts the list into
/// groups at GTIDs and at what stands between transactions, and looks at each group's last event. It knows nothing of
/// states, of resuming, of buffers, and is only right for logs that a server wrote and somebody cut.
class LogOracle {
 public:
  struct Found {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string gtid;  ///< Empty: anonymous.
    GtidSet set;       ///< The same.
  };

  explicit LogOracle(std::string_view bytes) : bytes_(bytes) {
    slice();
    std::size_t at = 0;
    while (at < events_.size()) at = take_group(at);
  }

  /// The transactions that are whole, in order.
  [[nodiscard]] const std::vector<Found>& transactions() const { return found_; }
  /// Where events end.
  [[nodiscard]] std::vector<std::size_t> event_ends() const {
    std::vector<std::size_t> ends;
    for (const Slice& event : events_) ends.push_back(event.end);
    return ends;
  }
  [[nodiscard]] GtidSet gtids() const { return gtids_before(bytes_.size()); }
  /// Of those that end at or before an offset.
  [[nodiscard]] GtidSet gtids_before(std::size_t offset) const {
    GtidSet set;
    for (const Found& one : found_) {
      if (one.end <= offset) set = set.united(one.set);
    }
    return set;
  }

 private:
  struct Slice {
    std::size_t begin = 0;
    std::size_t end = 0;
    unsigned type = 0;
    std::string_view body;
  };

  [[nodiscard]] std::uint64_t number(std::size_t at, std::size_t count) const {
    std::uint64_t value = 0;
    while (count > 0) value = value * 256 + static_cast<unsigned char>(bytes_[at + --count]);
    return value;
  }

  static std::uint32_t crc(std::string_view bytes) {
    static const auto table = [] {
      std::array<std::uint32_t, 256> made{};
      for (std::uint32_t i = 0; i < 256; ++i) {
        made[i] = i;
        for (int bit = 0; bit < 8; ++bit) made[i] = (made[i] >> 1) ^ ((made[i] & 1) != 0 ? 0xEDB8'8320U : 0U);
      }
      return made;
    }();
    std::uint32_t value = ~0U;
    for (const char c : bytes) value = table[(value ^ static_cast<unsigned char>(c)) & 0xFF] ^ (value >> 8);
    return ~value;
  }

  void slice() {
    bool checksums = true;
    for (std::size_t at = 4; at + 19 <= bytes_.size();) {
      const std::size_t length = number(at + 9, 4);
      const auto type = static_cast<unsigned>(number(at + 4, 1));
      const std::size_t trailer = checksums || type == 15 ? 4 : 0;
      if (length < 19 + trailer || at + length > bytes_.size()) return;
      std::string event(bytes_.substr(at, length - trailer));
      if (type == 15) event[17] = static_cast<char>(event[17] & ~1);
      if (trailer != 0 && crc(event) != number(at + length - 4, 4)) return;
      if (type == 15) checksums = event.back() == 1;
      events_.push_back({at, at + length, type, bytes_.substr(at + 19, length - 19 - trailer)});
      at += length;
    }
  }

  static bool is_gtid(unsigned type) { return type == 33 || type == 34 || type == 42; }
  static bool is_between(unsigned type) { return type == 15 || type == 3 || type == 4 || type == 35; }

  /// The group that begins at the event, if one does; the place behind it.
  std::size_t take_group(std::size_t first) {
    if (!is_gtid(events_[first].type)) return first + 1;
    for (std::size_t place = first + 1; place < events_.size(); ++place) {
      if (is_gtid(events_[place].type) || is_between(events_[place].type)) return place;
      if (!ends(first, place)) continue;
      const std::string gtid = gtid_of(events_[first]);
      found_.push_back({events_[first].begin, events_[place].end, gtid, GtidSet::parse(gtid).value()});
      return place + 1;
    }
    return events_.size();
  }

  /// Whether the event is the last that its group can have.
  [[nodiscard]] bool ends(std::size_t first, std::size_t place) const {
    const Slice& event = events_[place];
    if (event.type == 16 || event.type == 38 || event.type == 40 || event.type == 26) return true;
    if (event.type != 2) return false;
    const std::string_view query = statement(event);
    if (query == "COMMIT" || query == "ROLLBACK" || query.starts_with("XA ROLLBACK")) return true;
    if (query == "BEGIN" || query.starts_with("XA START")) return false;
    // Anything else ends a group that has not begun with BEGIN.
    for (std::size_t before = first + 1; before < place; ++before) {
      if (events_[before].type == 2) return false;
    }
    return true;
  }

  static std::string_view statement(const Slice& event) {
    const auto byte = [&](std::size_t at) { return std::size_t{static_cast<unsigned char>(event.body[at])}; };
    return event.body.substr(13 + byte(11) + byte(12) * 256 + byte(8) + 1);
  }

  static std::string gtid_of(const Slice& event) {
    if (event.type == 34) return {};
    std::vector<std::uint64_t> fields;
    std::string tag;
    if (event.type == 33) {
      for (std::size_t i = 1; i < 17; ++i) fields.push_back(static_cast<unsigned char>(event.body[i]));
      std::uint64_t number = 0;
      for (std::size_t i = 25; i > 17; --i) number = number * 256 + static_cast<unsigned char>(event.body[i - 1]);
      fields.push_back(number);
    } else {
      std::size_t at = 0;
      for (int skipped = 0; skipped < 3; ++skipped) varint(event.body, at);
      for (std::uint64_t field = varint(event.body, at); field != 3; field = varint(event.body, at)) {
        if (field == 0) varint(event.body, at);
        for (int i = 0; field == 1 && i < 16; ++i) fields.push_back(varint(event.body, at));
        if (field == 2) fields.push_back(varint(event.body, at) / 2);
      }
      const std::size_t length = varint(event.body, at);
      tag = ":" + std::string(event.body.substr(at, length));
    }
    std::string text;
    for (std::size_t i = 0; i < 16; ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
      text += "0123456789abcdef"[fields[i] / 16];
      text += "0123456789abcdef"[fields[i] % 16];
    }
    return text + tag + ":" + std::to_string(fields[16]);
  }

  static std::uint64_t varint(std::string_view bytes, std::size_t& at) {
    const auto first = static_cast<unsigned char>(bytes[at++]);
    unsigned more = 0;
    while (more < 8 && ((first >> more) & 1) != 0) ++more;
    std::uint64_t value = 0;
    for (unsigned i = 0; i < more; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    at += more;
    if (more < 7) value = (value << (7 - more)) | (first >> (more + 1));
    return value;
  }

  std::string_view bytes_;
  std::vector<Slice> events_;
  std::vector<Found> found_;
};

}  // namespace baton::test
