#include "engine/gtid/gtid_set.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/gtid/text_cases.h"

namespace baton {
namespace {

const std::string kU = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
const std::string kZ = "00000000-0000-0000-0000-000000000001";

GtidSet set_of(std::string_view text) {
  const auto set = GtidSet::parse(test::spelt_out(text, false));
  EXPECT_TRUE(set) << set.error().what;
  return set.value_or(GtidSet{});
}

std::string owned(std::string_view text) {
  const auto set = GtidSet::parse_owned(test::spelt_out(text, false));
  return set ? set->to_string() : set.error().what;
}

TEST(GtidSet, ReadsAndPrintsWhatTheServerDoes) {
  for (const auto& [text, canonical] : test::kTextCases) {
    const auto set = GtidSet::parse(test::spelt_out(text, true));
    if (canonical == test::kRefused) {
      EXPECT_FALSE(set) << text;
    } else {
      ASSERT_TRUE(set) << text << ": " << set.error().what;
      EXPECT_EQ(set->to_string(), test::spelt_out(canonical, false)) << text;
    }
  }
}

TEST(GtidSet, AnErrorNamesItsOffset) {
  const auto set = GtidSet::parse(kU + ":1-5:x!");
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(set.error().what, "not a GTID set: expected ':', ',' or the end at offset 42");
}

TEST(GtidSet, BytesThatAreNotTextAreRefused) {
  EXPECT_FALSE(GtidSet::parse(kU + ":t\xC3\xA9:1"));
  EXPECT_FALSE(GtidSet::parse(std::string("\0", 1)));
  EXPECT_FALSE(GtidSet::parse(kU + ":1" + std::string("\0", 1)));
}

TEST(GtidSet, ReadsOwnedSetsAsTheServerPrintsThem) {
  EXPECT_EQ(owned(""), "");
  EXPECT_EQ(owned("U:5#105:7#106"), kU + ":5:7");
  EXPECT_EQ(owned("U:5#12#13:6#7"), kU + ":5-6");
  // Entries follow each other with nothing in between; owners and uuids both begin with digits here.
  EXPECT_EQ(owned("U:5#105:7#106Z:1#109"), kZ + ":1," + kU + ":5:7");
  EXPECT_EQ(owned("Z:1#109U:5#105:7#106U:abc:1#110U:tag:9#107:3#108"), kZ + ":1," + kU + ":5:7:abc:1:tag:3:9");
  EXPECT_EQ(owned("Z:1#7,\nZ:2#8"), kZ + ":1-2");
  EXPECT_EQ(owned("U:5#"), "not a GTID set: expected the number of an owner at offset 39");
  EXPECT_EQ(owned("U:5#00000000-"), "not a GTID set: expected the number of an owner at offset 39");
  EXPECT_EQ(owned("U:0#1"), "not a GTID set: transaction numbers begin at 1; found 0 at offset 38");
  EXPECT_EQ(owned("U:1-5#1"), "not a GTID set: expected a uuid at offset 38");
}

TEST(GtidSet, AddJoinsWhatTouches) {
  const GtidSource source{kU, ""};
  GtidSet set;
  set.add(source, {10, 20});
  set.add(source, {30, 40});
  set.add(source, 5);
  EXPECT_EQ(set, set_of("U:5:10-20:30-40"));
  set.add(source, {21, 29});
  EXPECT_EQ(set, set_of("U:5:10-40"));
  set.add(source, {1, 100});
  EXPECT_EQ(set, set_of("U:1-100"));
  set.add(source, {50, 60});
  EXPECT_EQ(set, set_of("U:1-100"));
  set.add({kU, "tag"}, GtidSet::kMaxNumber);
  set.add({kU, "tag"}, GtidSet::kMaxNumber - 1);
  EXPECT_EQ(set, set_of("U:1-100:tag:9223372036854775805-9223372036854775806"));
}

TEST(GtidSet, AddRefusesWhatCannotBe) {
  GtidSet set;
  EXPECT_DEATH(set.add({kU, ""}, 0), "");
  EXPECT_DEATH(set.add({kU, ""}, GtidInterval(5, 4)), "");
  EXPECT_DEATH(set.add({kU, ""}, std::numeric_limits<std::int64_t>::max()), "");
  EXPECT_DEATH(set.add({"short", ""}, 1), "");
}

TEST(GtidSet, Algebra) {
  const GtidSet left = set_of("U:1-10:20-30:tag:1-3");
  const GtidSet right = set_of("U:5-25:tag:3-4,Z:1");
  EXPECT_EQ(left.united(right), set_of("U:1-30:tag:1-4,Z:1"));
  EXPECT_EQ(left.minus(right), set_of("U:1-4:26-30:tag:1-2"));
  EXPECT_EQ(left.intersected(right), set_of("U:5-10:20-25:tag:3"));
  EXPECT_TRUE(left.minus(left).empty());
  EXPECT_TRUE(left.contains(set_of("U:2-3:20:tag:2")));
  EXPECT_FALSE(left.contains(set_of("U:2-3:20:tag:2-4")));
  EXPECT_FALSE(left.contains(set_of("U:10-20")));
  EXPECT_FALSE(left.contains(set_of("Z:1")));
  EXPECT_TRUE(left.contains(GtidSet{}));
  EXPECT_TRUE(left.contains({kU, "tag"}, 3));
  EXPECT_FALSE(left.contains({kU, ""}, 11));
  EXPECT_FALSE(left.contains({kZ, ""}, 1));
  EXPECT_EQ(left.united(right).of_uuid(kU), set_of("U:1-30:tag:1-4"));
  EXPECT_TRUE(left.of_uuid(kZ).empty());
}

TEST(GtidSet, SizeSaturates) {
  EXPECT_EQ(GtidSet{}.size(), 0U);
  EXPECT_EQ(set_of("U:1-10:20:tag:1-3").size(), 14U);
  EXPECT_EQ(set_of("U:1-9223372036854775806,Z:1-9223372036854775806:a:1-9223372036854775806").size(),
            std::numeric_limits<std::uint64_t>::max());
}

TEST(GtidSet, LongTextsTakeLinearTime) {
  // Falling and repeated: the worst order for a list that is kept sorted while it is read. Quadratic code would need
  // hours for these; the limit of the test run is the assertion.
  constexpr int kParts = 500'000;
  std::string falling = kU;
  std::string changing;
  for (int i = kParts; i > 0; --i) falling += ":" + std::to_string(2 * i);
  for (int i = 0; i < kParts / 10; ++i) changing += (i % 2 == 0 ? kU : kZ) + ":" + std::to_string(2 * i + 1) + ",";
  const GtidSet set = set_of(falling);
  EXPECT_EQ(set.size(), static_cast<std::uint64_t>(kParts));
  EXPECT_EQ(set_of(changing).size(), static_cast<std::uint64_t>(kParts / 10));
  EXPECT_EQ(set.united(set), set);
  EXPECT_EQ(set.intersected(set), set);
  EXPECT_TRUE(set.minus(set).empty());
  EXPECT_TRUE(set.contains(set));
}

}  // namespace
}  // namespace baton
