#include "sidecar/binlog/event.h"

#include <gtest/gtest.h>

#include "tests/binlog/log_writer.h"

namespace baton::binlog {
namespace {

using test::LogWriter;

/// The body of the last event that was written, without its checksum.
class LastBody {
 public:
  template <class Write>
  explicit LastBody(Write write) {
    LogWriter writer;
    const std::size_t before = writer.bytes().size();
    write(writer);
    body_ = writer.bytes().substr(before + EventHeader::kLength);
    body_.resize(body_.size() - kChecksumLength);
  }
  [[nodiscard]] std::span<const std::byte> get() const { return std::as_bytes(std::span(body_)); }
  [[nodiscard]] std::size_t size() const { return body_.size(); }

 private:
  std::string body_;
};

std::string previous_text(const std::vector<LogWriter::Source>& sources, bool tagged) {
  const LastBody body([&](LogWriter& writer) { writer.previous_gtids(sources, tagged); });
  const auto set = read_previous_gtids(body.get());
  return set ? set->to_string() : set.error().what;
}

TEST(BinlogEvent, ReadsPreviousGtidsOfBothForms) {
  const std::string uuid(LogWriter::kUuid);
  const std::string other(LogWriter::kOtherUuid);
  EXPECT_EQ(previous_text({}, false), "");
  EXPECT_EQ(previous_text({}, true), "");
  EXPECT_EQ(previous_text({{LogWriter::kUuid, "", {{1, 5}, {7, 7}}}, {LogWriter::kOtherUuid, "", {{3, 3}}}}, false),
            other + ":3," + uuid + ":1-5:7");
  EXPECT_EQ(previous_text({{LogWriter::kUuid, "", {{1, 5}}}, {LogWriter::kUuid, "a_1", {{2, 3}}}}, true),
            uuid + ":1-5:a_1:2-3");
  EXPECT_EQ(previous_text({{LogWriter::kUuid, "", {{1, 0x7FFF'FFFF'FFFF'FFFE}}}}, false),
            uuid + ":1-9223372036854775806");
}

TEST(BinlogEvent, RefusesImpossiblePreviousGtids) {
  EXPECT_EQ(previous_text({{LogWriter::kUuid, "", {{0, 5}}}}, false),
            "PREVIOUS_GTIDS has the impossible interval 0 to before 6");
  EXPECT_EQ(previous_text({{LogWriter::kUuid, "", {{5, 4}}}}, false),
            "PREVIOUS_GTIDS has the impossible interval 5 to before 5");
  EXPECT_EQ(previous_text({{LogWriter::kUuid, "", {{5, 9}, {7, 12}}}}, false),
            "PREVIOUS_GTIDS has the impossible interval 7 to before 13");
  EXPECT_EQ(previous_text({{LogWriter::kUuid, "", {{1, 0x7FFF'FFFF'FFFF'FFFF}}}}, false),
            "PREVIOUS_GTIDS has the impossible interval 1 to before 9223372036854775808");
  EXPECT_EQ(previous_text({{LogWriter::kUuid, "UPPER", {{1, 5}}}}, true),
            "a tag with characters that tags cannot have");
  const std::string newer = LogWriter::number((std::uint64_t{2} << 56) | 2, 8);
  const auto set = read_previous_gtids(std::as_bytes(std::span(newer)));
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error(), (Error{ErrorKind::kUnsafe, "PREVIOUS_GTIDS of form 2 is not known"}));
}

TEST(BinlogEvent, EveryCutOfPreviousGtidsIsRefused) {
  const LastBody body([](LogWriter& writer) {
    writer.previous_gtids({{LogWriter::kUuid, "", {{1, 5}, {7, 7}}}, {LogWriter::kUuid, "tag", {{2, 3}}}}, true);
  });
  for (std::size_t cut = 0; cut < body.size(); ++cut) EXPECT_FALSE(read_previous_gtids(body.get().first(cut))) << cut;
}

TEST(BinlogEvent, ReadsGtids) {
  const LastBody plain([](LogWriter& writer) { writer.gtid(77); });
  const auto gtid = read_gtid(plain.get());
  ASSERT_TRUE(gtid) << gtid.error().what;
  EXPECT_EQ(gtid->source, (GtidSource{std::string(LogWriter::kUuid), ""}));
  EXPECT_EQ(gtid->number, 77);
  const LastBody tagged([](LogWriter& writer) { writer.tagged_gtid(1'000'000, "batch_7"); });
  const auto tagged_gtid = read_gtid_tagged(tagged.get());
  ASSERT_TRUE(tagged_gtid) << tagged_gtid.error().what;
  EXPECT_EQ(tagged_gtid->source, (GtidSource{std::string(LogWriter::kUuid), "batch_7"}));
  EXPECT_EQ(tagged_gtid->number, 1'000'000);
  EXPECT_EQ(tagged_gtid->transaction_length, 1234U);
  for (std::size_t cut = 0; cut < tagged.size(); ++cut) EXPECT_FALSE(read_gtid_tagged(tagged.get().first(cut))) << cut;
}

TEST(BinlogEvent, RefusesGtidsOutOfRange) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{0x7FFF'FFFF'FFFF'FFFF}, ~std::uint64_t{0}}) {
    const LastBody plain([&](LogWriter& writer) { writer.gtid(number); });
    EXPECT_FALSE(read_gtid(plain.get())) << number;
  }
}

TEST(BinlogEvent, FindsTheStatementBehindStatusVariables) {
  for (const std::size_t status_variables : {0U, 5U, 65535U}) {
    const LastBody body([&](LogWriter& writer) { writer.query("XA START x", status_variables); });
    const auto query = read_query(body.get());
    ASSERT_TRUE(query) << query.error().what;
    EXPECT_EQ(query->text, "XA START x");
  }
}

}  // namespace
}  // namespace baton::binlog
