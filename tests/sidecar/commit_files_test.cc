#include "sidecar/local/commit_files.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace baton::sidecar {
namespace {

namespace fs = std::filesystem;

TEST(CommitFiles, AreSyncedAndWhatCannotBeIsAFailure) {
  std::string pattern = (fs::temp_directory_path() / "baton-commit-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  for (const std::string name : {"binlog.000001", "binlog.index", "ibdata1"}) std::ofstream(folder / name) << name;
  const auto without_redo = sync_commit_files(folder);
  ASSERT_FALSE(without_redo);
  EXPECT_EQ(without_redo.error().kind, ErrorKind::kRetry);
  EXPECT_TRUE(without_redo.error().what.contains("#innodb_redo")) << without_redo.error().what;
  fs::create_directory(folder / "#innodb_redo");
  std::ofstream(folder / "#innodb_redo" / "#ib_redo7") << "x";
  EXPECT_TRUE(sync_commit_files(folder));
  EXPECT_FALSE(sync_commit_files(folder / "nowhere"));
  // A device that refuses to be synced.
  fs::create_symlink("/dev/null", folder / "binlog.000002");
  const auto unsyncable = sync_commit_files(folder);
  ASSERT_FALSE(unsyncable);
  EXPECT_TRUE(unsyncable.error().what.contains("binlog.000002")) << unsyncable.error().what;
  fs::remove_all(folder);
}

}  // namespace
}  // namespace baton::sidecar
