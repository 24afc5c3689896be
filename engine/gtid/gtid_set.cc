#include "engine/gtid/gtid_set.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "engine/base/ensure.h"

namespace baton {
namespace {

using Intervals = std::vector<GtidInterval>;
using Sources = std::map<GtidSource, Intervals>;

constexpr std::size_t kUuidLength = 36;
constexpr std::size_t kTagLengthMax = 32;

// The server reads ASCII; the functions of <cctype> would ask the locale.
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr bool is_hex(char c) { return is_digit(c) || (lowered(c) >= 'a' && lowered(c) <= 'f'); }
constexpr bool is_tag_start(char c) { return c == '_' || (lowered(c) >= 'a' && lowered(c) <= 'z'); }
constexpr bool is_tag_part(char c) { return is_tag_start(c) || is_digit(c); }
constexpr bool is_dash_place(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

/// Sorts and joins what touches, so that the vector is normal. O(n log n), O(n) when it is sorted already.
void normalise(Intervals& intervals) {
  if (!std::ranges::is_sorted(intervals)) std::ranges::sort(intervals);
  std::size_t kept = 0;
  for (const GtidInterval& next : intervals) {
    // last <= kMaxNumber, so that last + 1 does not overflow.
    if (kept > 0 && next.first <= intervals[kept - 1].last + 1) {
      intervals[kept - 1].last = std::max(intervals[kept - 1].last, next.last);
    } else {
      intervals[kept++] = next;
    }
  }
  intervals.resize(kept);
}

/// Reads the two text forms of sets. Positions are offsets in the whole text; they only grow.
///
///   set      = { "," } [ entry { "," { "," } entry } { "," } ]      white space around every part
///   entry    = uuid { ":" ( tag | interval ) }                      a tag holds until the next tag or entry
///   uuid     = 8-4-4-4-12 hex digits, the same in braces, or 32 hex digits
///   interval = number [ "-" number ]                                reversed ones are read and mean nothing
///   owned    = { entry' }, entry' = uuid { ":" ( tag | number { "#" owner } ) }
///
/// As Gtid_set::add_gtid_text reads it (sql/rpl_gtid_set.cc, 8.3 and later). One difference: the server also takes some
/// bytes above 0x7F as letters of a tag, which its documentation forbids; they are refused here.
/// The server prints the entries of gtid_owned one behind the other, with nothing in between (seen in 9.7.4):
/// `…:7#106aaaaaaaa-bbbb…`, and the first digits of a uuid look like those of an owner. The dash decides: nothing else
/// in that text has one, and a uuid begins eight characters before its first.
class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  Result<Sources> read_set() {
    skip_space();
    while (true) {
      while (take(',')) skip_space();
      if (at_end()) break;
      TRY_VOID(read_entry());
      if (!at_end() && peek() != ',') return bad("expected ':', ',' or the end");
    }
    return finished();
  }

  Result<Sources> read_owned() {
    skip_space();
    while (true) {
      while (take(',')) skip_space();
      if (at_end()) break;
      TRY_VOID(read_owned_entry());
    }
    return finished();
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }
  void skip_space() {
    while (!at_end() && is_space(text_[at_])) ++at_;
  }
  bool take(char wanted) {
    if (at_end() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] std::unexpected<Error> bad(std::string_view what) const {
    return fail(ErrorKind::kCorrupt, "not a GTID set: {} at offset {}", what, at_);
  }

  Result<void> read_entry() {
    TRY_VOID(read_uuid());
    skip_space();
    while (take(':')) {
      skip_space();
      TRY(was_tag, read_tag());
      if (!was_tag) TRY_VOID(read_interval());
      skip_space();
    }
    return {};
  }

  Result<void> read_owned_entry() {
    TRY_VOID(read_uuid());
    skip_space();
    while (take(':')) {
      skip_space();
      TRY(was_tag, read_tag());
      if (!was_tag) {
        TRY(number, read_number());
        if (number == 0) return bad("transaction numbers begin at 1; found 0");
        intervals().push_back({number, number});
        while (take('#')) TRY_VOID(skip_owner());
      }
      skip_space();
    }
    return {};
  }

  Result<void> read_uuid() {
    const bool in_braces = take('{');
    std::string uuid;
    uuid.reserve(kUuidLength);
    const bool has_dashes = in_braces || (text_.size() - at_ > 8 && text_[at_ + 8] == '-');
    while (uuid.size() < kUuidLength) {
      if (is_dash_place(uuid.size())) {
        if (has_dashes && !take('-')) return bad("expected '-' in a uuid");
        uuid.push_back('-');
        continue;
      }
      if (!is_hex(peek())) return bad("expected a uuid");
      uuid.push_back(lowered(text_[at_++]));
    }
    if (in_braces && !take('}')) return bad("expected '}' behind a uuid");
    enter({std::move(uuid), {}});
    return {};
  }

  /// Whether a tag was read; the reader stands behind it then.
  Result<bool> read_tag() {
    if (!is_tag_start(peek())) return false;
    std::string tag;
    while (is_tag_part(peek())) {
      if (tag.size() == kTagLengthMax) return bad("a tag has at most 32 characters; found one more");
      tag.push_back(lowered(text_[at_++]));
    }
    enter({std::move(source_.uuid), std::move(tag)});
    return true;
  }

  Result<void> read_interval() {
    TRY(first, read_number());
    if (first == 0) return bad("transaction numbers begin at 1; found 0");
    skip_space();
    std::int64_t last = first;
    if (take('-')) {
      skip_space();
      TRY(number, read_number());
      last = number;
    }
    if (last >= first) intervals().push_back({first, last});
    return {};
  }

  /// 0 … GtidSet::kMaxNumber in decimal digits, leading zeros allowed.
  Result<std::int64_t> read_number() {
    if (!is_digit(peek())) return bad("expected a number");
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (error != std::errc{} || number > GtidSet::kMaxNumber) return bad("number too large");
    at_ = static_cast<std::size_t>(end - text_.data());
    return number;
  }

  Result<void> skip_owner() {
    std::size_t run_end = at_;
    while (run_end < text_.size() && is_hex(text_[run_end])) ++run_end;
    std::size_t end = at_;
    while (end < run_end && is_digit(text_[end])) ++end;
    if (run_end < text_.size() && text_[run_end] == '-' && run_end - at_ >= 8) end = std::min(end, run_end - 8);
    if (end == at_) return bad("expected the number of an owner");
    at_ = end;
    return {};
  }

  void enter(GtidSource source) {
    source_ = std::move(source);
    current_ = nullptr;
  }
  /// The intervals of the source that was entered last. Looked up once for each entry, when the first interval comes.
  Intervals& intervals() {
    if (current_ == nullptr) current_ = &sources_[source_];
    return *current_;
  }

  Sources finished() {
    for (auto& [source, intervals] : sources_) normalise(intervals);
    return std::move(sources_);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  GtidSource source_;
  Intervals* current_ = nullptr;
  Sources sources_;
};

Intervals united_intervals(const Intervals& left, const Intervals& right) {
  Intervals all;
  all.reserve(left.size() + right.size());
  std::ranges::merge(left, right, std::back_inserter(all));
  normalise(all);
  return all;
}

Intervals minus_intervals(const Intervals& left, const Intervals& right) {
  Intervals rest;
  auto cut = right.begin();
  for (GtidInterval piece : left) {
    while (cut != right.end() && cut->last < piece.first) ++cut;
    bool whole_gone = false;
    // A cut that reaches behind this piece may also reach the next one: it is not passed.
    for (; cut != right.end() && cut->first <= piece.last; ++cut) {
      if (cut->first > piece.first) rest.push_back({piece.first, cut->first - 1});
      whole_gone = cut->last >= piece.last;
      if (whole_gone) break;
      piece.first = cut->last + 1;
    }
    if (!whole_gone) rest.push_back(piece);
  }
  return rest;
}

Intervals intersected_intervals(const Intervals& left, const Intervals& right) {
  Intervals common;
  for (auto a = left.begin(), b = right.begin(); a != left.end() && b != right.end();) {
    const GtidInterval overlap{std::max(a->first, b->first), std::min(a->last, b->last)};
    if (overlap.first <= overlap.last) common.push_back(overlap);
    (a->last < b->last ? a : b)++;
  }
  return common;
}

/// The interval that has the number, or none.
const GtidInterval* find_interval(const Intervals& intervals, std::int64_t number) {
  const auto found = std::ranges::lower_bound(intervals, number, {}, &GtidInterval::last);
  return found != intervals.end() && found->first <= number ? &*found : nullptr;
}

void append_number(std::string& text, std::int64_t number) {
  char digits[20];  // 19 digits at most.
  const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), number);
  text.append(std::begin(digits), end);
}

}  // namespace

Result<GtidSet> GtidSet::parse(std::string_view text) {
  TRY(sources, TextReader(text).read_set());
  GtidSet set;
  set.sources_ = std::move(sources);
  return set;
}

Result<GtidSet> GtidSet::parse_owned(std::string_view text) {
  TRY(sources, TextReader(text).read_owned());
  GtidSet set;
  set.sources_ = std::move(sources);
  return set;
}

std::string GtidSet::to_string() const {
  std::string text;
  std::string_view previous_uuid;
  for (const auto& [source, intervals] : sources_) {
    if (source.uuid != previous_uuid) {
      if (!text.empty()) text.push_back(',');
      text.append(source.uuid);
      previous_uuid = source.uuid;
    }
    if (!source.tag.empty()) text.append(":").append(source.tag);
    for (const auto& [first, last] : intervals) {
      text.push_back(':');
      append_number(text, first);
      if (last == first) continue;
      text.push_back('-');
      append_number(text, last);
    }
  }
  return text;
}

std::uint64_t GtidSet::size() const {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t size = 0;
  for (const auto& [source, intervals] : sources_) {
    for (const auto& [first, last] : intervals) {
      const auto more = static_cast<std::uint64_t>(last - first) + 1;
      if (more > kMost - size) return kMost;
      size += more;
    }
  }
  return size;
}

bool GtidSet::contains(const GtidSource& source, std::int64_t number) const {
  const auto found = sources_.find(source);
  return found != sources_.end() && find_interval(found->second, number) != nullptr;
}

bool GtidSet::contains(const GtidSet& other) const {
  return std::ranges::all_of(other.sources_, [this](const auto& wanted) {
    const auto found = sources_.find(wanted.first);
    if (found == sources_.end()) return false;
    // Intervals here never touch each other, so that one of theirs must lie within one of ours.
    auto ours = found->second.begin();
    return std::ranges::all_of(wanted.second, [&](const GtidInterval& theirs) {
      while (ours != found->second.end() && ours->last < theirs.last) ++ours;
      return ours != found->second.end() && ours->first <= theirs.first;
    });
  });
}

void GtidSet::add(const GtidSource& source, GtidInterval interval) {
  ENSURE(source.uuid.size() == kUuidLength && source.tag.size() <= kTagLengthMax);
  ENSURE(interval.first >= 1 && interval.first <= interval.last && interval.last <= kMaxNumber);
  Intervals& intervals = sources_[source];
  // The first that touches or lies behind; at the end of the vector in the usual case of growing numbers.
  const auto begin = !intervals.empty() && intervals.back().last + 1 < interval.first
                         ? intervals.end()
                         : std::ranges::lower_bound(intervals, interval.first - 1, {}, &GtidInterval::last);
  auto end = begin;
  for (; end != intervals.end() && end->first <= interval.last + 1; ++end) {
    interval.first = std::min(interval.first, end->first);
    interval.last = std::max(interval.last, end->last);
  }
  if (begin == end) {
    intervals.insert(begin, interval);
  } else {
    *begin = interval;
    intervals.erase(std::next(begin), end);
  }
}

GtidSet GtidSet::united(const GtidSet& other) const {
  GtidSet all = *this;
  for (const auto& [source, intervals] : other.sources_) {
    const auto [place, is_new] = all.sources_.try_emplace(source, intervals);
    if (!is_new && place->second != intervals) place->second = united_intervals(place->second, intervals);
  }
  return all;
}

GtidSet GtidSet::minus(const GtidSet& other) const {
  GtidSet rest;
  for (const auto& [source, intervals] : sources_) {
    const auto found = other.sources_.find(source);
    Intervals kept = found == other.sources_.end() ? intervals : minus_intervals(intervals, found->second);
    if (!kept.empty()) rest.sources_.emplace_hint(rest.sources_.end(), source, std::move(kept));
  }
  return rest;
}

GtidSet GtidSet::intersected(const GtidSet& other) const {
  GtidSet common;
  for (const auto& [source, intervals] : sources_) {
    const auto found = other.sources_.find(source);
    if (found == other.sources_.end()) continue;
    Intervals kept = intersected_intervals(intervals, found->second);
    if (!kept.empty()) common.sources_.emplace_hint(common.sources_.end(), source, std::move(kept));
  }
  return common;
}

GtidSet GtidSet::of_uuid(std::string_view uuid) const {
  GtidSet part;
  for (auto at = sources_.lower_bound({std::string(uuid), {}}); at != sources_.end() && at->first.uuid == uuid; ++at) {
    part.sources_.insert(part.sources_.end(), *at);
  }
  return part;
}

}  // namespace baton
