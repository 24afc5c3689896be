#include "sidecar/local/epoch_file.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

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
          .opened_by_pod = "a pod",
          .opened_on_boot = "its boot",
          .unseen_pod = "an older pod",
          .suspect_end = true,
          .suspect_stays = true,
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

/// The volume is one of 256 KiB.
class SmallVolume : public EpochFileTest {
 protected:
  void SetUp() override {
    fs::create_directory(folder_ / "baton");
    is_mounted_ = ::mount("tmpfs", (folder_ / "baton").c_str(), "tmpfs", 0, "size=256k") == 0;
    if (!is_mounted_) GTEST_SKIP() << "only who may mount can fill up a volume";
  }
  void TearDown() override {
    if (is_mounted_) ::umount2((folder_ / "baton").c_str(), MNT_DETACH);
    EpochFileTest::TearDown();
  }
  void fill_up() const {
    std::ofstream filler(filler_, std::ios::binary | std::ios::app);
    const std::string page(4096, 'x');
    while (filler.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
    }
  }

  fs::path filler_ = folder_ / "baton" / "filler";
  bool is_mounted_ = false;
};

TEST_F(SmallVolume, ThatIsFullTakesTheRecordAllTheSame) {
  auto record = full_record();
  ASSERT_TRUE(file().save(record));
  EXPECT_EQ(fs::file_size(file().ballast()), EpochFile::kBallastBytes);
  fill_up();
  for (record.epoch = 10; record.epoch < 13; ++record.epoch) {
    const auto saved = file().save(record);
    ASSERT_TRUE(saved) << saved.error().what;
    EXPECT_EQ(file().load(), record);
    EXPECT_TRUE(fs::exists(file().ballast())) << "for the next time";
  }
  const auto last = file().load();
  fs::remove(file().ballast());
  fill_up();
  const auto refused = file().save(record);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kRetry);
  EXPECT_EQ(file().load(), last) << "what was there is as it was";
  fs::remove(filler_);
  ASSERT_TRUE(file().save(record));
  EXPECT_EQ(fs::file_size(file().ballast()), EpochFile::kBallastBytes);
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
  text.replace(text.find("\"format\":3"), 10, "\"format\":4");
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
