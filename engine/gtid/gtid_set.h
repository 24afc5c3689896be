#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace baton {

/// The origin of a transaction: a server's uuid and an optional tag (MySQL 8.3+). Order: uuid, then tag.
struct GtidSource {
  std::string uuid;  ///< 36 characters, lower case.
  std::string tag;   ///< Empty, or [a-z_][a-z0-9_]{0,31}.

  friend auto operator<=>(const GtidSource&, const GtidSource&) = default;
};

/// Transactions first … last (both included) of one source. 1 <= first <= last <= GtidSet::kMaxNumber.
struct GtidInterval {
  std::int64_t first = 0;
  std::int64_t last = 0;

  friend auto operator<=>(const GtidInterval&, const GtidInterval&) = default;
};

/// A set of global transaction identifiers. Kept normalised (sorted, disjoint, not adjacent intervals, no empty
/// source), so that equal sets compare equal. A plain value; not synchronised. Text form: MySQL Reference Manual, "GTID
/// Sets"; tags as in libs/mysql/gtids/readme.md of the server's source.
class GtidSet {
 public:
  /// The largest transaction number that a server gives (2^63 - 2; gtid_set.h GNO_END is one past it).
  static constexpr std::int64_t kMaxNumber = 0x7FFF'FFFF'FFFF'FFFELL;

  GtidSet() = default;

  /// Reads MySQL's text form: `uuid[:tag]:1-5:7[:tag:1-3], …`, any case, white space and line ends anywhere between
  /// parts, empty parts allowed as the server allows them. Errors: kCorrupt with the offset of what could not be read.
  [[nodiscard]] static Result<GtidSet> parse(std::string_view text);
  /// Reads @@global.gtid_owned, `uuid[:tag]:5#12#13:6#7`: the set of numbers, owners dropped. Errors: kCorrupt.
  [[nodiscard]] static Result<GtidSet> parse_owned(std::string_view text);

  /// The canonical text, without white space: `uuid:1-5:7:tag:1-3,uuid…`; empty text for the empty set.
  [[nodiscard]] std::string to_string() const;

  [[nodiscard]] bool empty() const { return sources_.empty(); }
  /// The number of transactions; saturates at the largest std::uint64_t.
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] bool contains(const GtidSource& source, std::int64_t number) const;
  /// Whether every transaction of `other` is in this set.
  [[nodiscard]] bool contains(const GtidSet& other) const;

  /// Adds first … last of a source. Out-of-range or reversed intervals break an invariant of the caller (ENSURE).
  void add(const GtidSource& source, GtidInterval interval);
  void add(const GtidSource& source, std::int64_t number) { add(source, {number, number}); }

  [[nodiscard]] GtidSet united(const GtidSet& other) const;
  [[nodiscard]] GtidSet minus(const GtidSet& other) const;
  [[nodiscard]] GtidSet intersected(const GtidSet& other) const;
  /// The part whose source uuid is the given one, whatever the tag.
  [[nodiscard]] GtidSet of_uuid(std::string_view uuid) const;

  [[nodiscard]] const std::map<GtidSource, std::vector<GtidInterval>>& sources() const { return sources_; }

  friend bool operator==(const GtidSet&, const GtidSet&) = default;

 private:
  std::map<GtidSource, std::vector<GtidInterval>> sources_;
};

}  // namespace baton
