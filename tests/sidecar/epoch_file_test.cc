#include "sidecar/local/epoch_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "sidecar/local/member.h"

namespace baton::sidecar {
namespace {

namespace fs = std::filesystem;

class EpochFileTest : public testing::Test {
 protected:
  EpochFileTest() {
    std::string pattern = (fs::temp_directory_path() / "baton-epoch-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(std::string_view text) const {
    fs::create_directories(file().path().parent_path());
    std::ofstream(file().path()) << text;
  }
  [[nodiscard]] EpochFile file() const { return EpochFile(folder_ / "baton"); }

  fs::path folder_;
};

EpochRecord full_record() {
  return {.epoch = 5,
          .revision = 8,
          .hold = wire::Hold::kFenced,
          .opened_epoch = 4,
          .open = true,
          .suspect_end = true,
          .relaxed_on = "a boot",
          .uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562",
          .server_id = 77,
          .directory = wire::Directory::kCloned,
          .outside_logs = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3",
          .ackers_known = true,
          .replicas = {"a", "b"}};
}

TEST_F(EpochFileTest, ComesBackAsSaved) {
  EXPECT_EQ(file().load().error().kind, ErrorKind::kNotFound);
  ASSERT_TRUE(file().save(full_record()));
  EXPECT_EQ(file().load(), full_record());
  auto later = full_record();
  later.epoch = 6;
  later.replicas = {};
  ASSERT_TRUE(file().save(later));
  EXPECT_EQ(file().load(), later);
  EXPECT_FALSE(fs::exists(file().path().string() + ".tmp"));
}

TEST_F(EpochFileTest, WhatCannotBeSyncedIsNotSaved) {
  ASSERT_TRUE(file().save(full_record()));
  // A device that takes what is written and refuses to sync it.
  fs::create_symlink("/dev/null", file().path().string() + ".tmp");
  auto later = full_record();
  later.epoch = 6;
  const auto saved = file().save(later);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().kind, ErrorKind::kRetry);
  EXPECT_EQ(file().load(), full_record());
}

TEST_F(EpochFileTest, EveryTruncationIsRefused) {
  const auto text = to_json_text(full_record());
  for (std::size_t length = 0; length + 2 < text.size(); ++length) {
    write(text.substr(0, length));
    const auto record = file().load();
    ASSERT_FALSE(record) << length;
    ASSERT_EQ(record.error().kind, ErrorKind::kCorrupt) << length;
  }
}

TEST_F(EpochFileTest, AMissingFieldIsNotItsDefault) {
  auto text = to_json_text(full_record());
  text.replace(text.find("\"hold\":\"Fenced\","), 16, "");
  write(text);
  const auto record = file().load();
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(record.error().what.find("'hold'"), std::string::npos) << record.error().what;
}

TEST_F(EpochFileTest, ANewerFormatIsRefused) {
  auto text = to_json_text(full_record());
  text.replace(text.find("\"format\":2"), 10, "\"format\":3");
  EXPECT_EQ(parse_epoch_record(text).error().kind, ErrorKind::kCorrupt);
}

TEST_F(EpochFileTest, FreshRecordsDiffer) {
  const auto one = fresh_record();
  const auto other = fresh_record();
  ASSERT_TRUE(one && other);
  EXPECT_NE(one->uuid, other->uuid);
  EXPECT_EQ(one->uuid.size(), 36U);
  EXPECT_EQ(one->uuid[14], '4');
  EXPECT_GE(one->server_id, 1);
  EXPECT_EQ(one->directory, wire::Directory::kEmpty);
  EXPECT_EQ(parse_epoch_record(to_json_text(*one)), *one);
}

TEST_F(EpochFileTest, AutoCnfIsMadeOnceAndNeverExchanged) {
  ASSERT_TRUE(ensure_auto_cnf(folder_, "uuid-1"));
  ASSERT_TRUE(ensure_auto_cnf(folder_, "uuid-1"));
  EXPECT_EQ(read_small_file(folder_ / "auto.cnf", 100), "[auto]\nserver-uuid=uuid-1\n");
  EXPECT_EQ(ensure_auto_cnf(folder_, "uuid-2").error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace baton::sidecar
