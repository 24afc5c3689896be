#include "sidecar/local/member.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <latch>
#include <thread>

#include "tests/sidecar/child.h"

namespace baton::sidecar {
namespace {

namespace fs = std::filesystem;
using wire::Process;

/// A member that has seen epoch 2, revision 5; in mysqld's place, a process that does nothing.
class MemberTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (fs::temp_directory_path() / "baton-member-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    config_ = {.member = "shop-0", .pod_uid = "uid", .data = folder, .run = fs::path(folder) / "run"};
    EpochRecord record;
    record.epoch = 2;
    record.revision = 5;
    record.uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    record.server_id = 7;
    record.directory = wire::Directory::kCloned;
    ASSERT_TRUE(EpochFile(config_.state_directory()).save(record));
    auto started = Member::start(config_, clock_, Logger());
    ASSERT_TRUE(started) << started.error().what;
    member_ = *std::move(started);
    ASSERT_TRUE(
        member_->apply([this](MemberMachine& machine) { return machine.on_gate_running(mysqld_.pid(), false); }));
  }
  void TearDown() override {
    member_.reset();
    fs::remove_all(config_.data);
  }

  static wire::Order fence(std::int64_t epoch, std::int64_t revision) {
    return {.epoch = epoch, .revision = revision, .member = "shop-0", .pod_uid = "uid", .command = wire::Fence{}};
  }

  SystemClock clock_;
  Config config_;
  test::Child mysqld_{test::wait_for_ever};
  std::unique_ptr<Member> member_;
};

/// Somebody who has a member's lock and does not give it back, as one who waits for a disk that hangs.
class HungHolder {
 public:
  explicit HungHolder(Member& member)
      : thread_([this, &member] {
          static_cast<void>(member.apply([this](MemberMachine&) {
            has_lock_.count_down();
            end_.wait();
            return Effects{};
          }));
        }) {
    has_lock_.wait();
  }
  ~HungHolder() { end_.count_down(); }
  HungHolder(const HungHolder&) = delete;
  HungHolder& operator=(const HungHolder&) = delete;

 private:
  std::latch has_lock_{1};
  std::latch end_{1};
  std::jthread thread_;  ///< Last: it uses the above.
};

TEST_F(MemberTest, AFencePassesALockThatIsNotGivenBackUnlessItIsLateOrAnothers) {
  member_->kill_past_lock(fence(2, 5));
  EXPECT_TRUE(mysqld_.lives()) << "nobody has the lock: nothing is to be passed";
  {
    const HungHolder holder(*member_);
    auto of_another_pod = fence(9, 9);
    of_another_pod.pod_uid = "the pod before";
    auto of_another_member = fence(9, 9);
    of_another_member.member = "shop-1";
    for (const auto& order : {fence(2, 4), fence(1, 99), of_another_pod, of_another_member}) {
      member_->kill_past_lock(order);
      EXPECT_TRUE(mysqld_.lives()) << order.epoch << "/" << order.revision << " for " << order.member;
    }
    member_->kill_past_lock(fence(2, 5));
    EXPECT_FALSE(mysqld_.lives());
  }
  EXPECT_TRUE(member_->wait({}, std::chrono::seconds(30), [](const MemberMachine& machine) {
    return machine.state().process == Process::kNotRunning;
  }));
}

/// A disk on which the epoch file is being written for ever: its temporary name is a pipe that nobody reads.
class HungDisk {
 public:
  explicit HungDisk(const Config& config) : path_(EpochFile(config.state_directory()).path().string() + ".tmp") {
    ::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  }
  ~HungDisk() { mend(); }
  HungDisk(const HungDisk&) = delete;
  HungDisk& operator=(const HungDisk&) = delete;

  /// The writer goes on (a pipe cannot be synced: in vain), and the next one finds a disk as it should be.
  void mend() {
    if (std::exchange(is_mended_, true)) return;
    const Fd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    fs::remove(path_);
  }

 private:
  std::string path_;
  bool is_mended_ = false;
};

TEST_F(MemberTest, ADiskThatHangsHidesNeitherAnEndNorAFence) {
  HungDisk disk(config_);
  const auto told = [this](const std::function<bool(const MemberMachine&)>& what) {
    return member_->wait({}, std::chrono::seconds(30), what);
  };
  member_->tell([](MemberMachine& machine) { return machine.mark_open(2); });
  member_->tell([](MemberMachine& machine) { return machine.fence(); });
  EXPECT_TRUE(told([](const MemberMachine& machine) { return machine.state().process == Process::kNotRunning; }));
  EXPECT_FALSE(mysqld_.lives());
  EXPECT_EQ(member_->state().process, Process::kNotRunning) << "on the stream too";
  EXPECT_FALSE(member_->look([](const MemberMachine& machine) { return machine.saved(); }));
  disk.mend();
  EXPECT_TRUE(
      told([this](const MemberMachine& machine) { return machine.saved() || !machine.state().start_error.empty(); }));
  member_->tick();
  EXPECT_TRUE(told([](const MemberMachine& machine) { return machine.saved(); }));
  EXPECT_EQ(EpochFile(config_.state_directory()).load()->hold, wire::Hold::kFenced);
}

TEST_F(MemberTest, WhoNeedsARecordOnDiskIsToldWhenItIsNotThere) {
  {
    const HungDisk disk(config_);
    const auto late = member_->apply([](MemberMachine& machine) { return machine.mark_open(2); });
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::kRetry);
    EXPECT_TRUE(late.error().what.contains("is not written after")) << late.error().what;
  }
  const auto again = member_->apply([](MemberMachine&) { return Effects{.save = true}; });
  EXPECT_TRUE(again || again.error().kind == ErrorKind::kRetry) << "the attempt that had hung has failed";
  EXPECT_TRUE(member_->apply([](MemberMachine&) { return Effects{.save = true}; }));
  EXPECT_TRUE(EpochFile(config_.state_directory()).load()->open);
}

TEST(StateBoard, TellsNothingOfAServerThatIsNotAskedAnyMore) {
  StateBoard board;
  wire::MemberState state;
  state.process = Process::kRunning;
  state.sql.emplace();
  const Instant answered{std::chrono::hours(1)};
  board.publish(state, answered);
  EXPECT_TRUE(board.take(answered + std::chrono::milliseconds(1999)).sql);
  const auto stale = board.take(answered + kStaleAnswer);
  EXPECT_FALSE(stale.sql);
  EXPECT_EQ(stale.sql_error, "what it said last is 2000 ms old, and it was not asked again");
  EXPECT_EQ(stale.process, Process::kRunning);
  const auto version = board.version();
  board.publish(state, answered + std::chrono::seconds(3));
  EXPECT_TRUE(board.take(answered + std::chrono::seconds(4)).sql);
  EXPECT_EQ(board.version(), version) << "the same answer once more is no news";
}

TEST_F(MemberTest, ARecordThatCannotBeReadIsReadAgain) {
  member_.reset();
  const auto path = EpochFile(config_.state_directory()).path();
  fs::rename(path, config_.data / "away");
  fs::create_symlink("epoch.json", path);  // Names itself: it cannot be opened, and is not missing either.
  auto started = Member::start(config_, clock_, Logger());
  ASSERT_TRUE(started) << started.error().what;
  const auto start_error = [&] { return (*started)->state().start_error; };
  EXPECT_TRUE(start_error().contains("failed to open")) << start_error();
  (*started)->tick();
  EXPECT_TRUE(start_error().contains("failed to open")) << start_error();
  fs::rename(config_.data / "away", path);
  (*started)->tick();
  EXPECT_EQ(start_error(), "");
  EXPECT_EQ((*started)->state().revision, 5);
}

/// The pod before was deleted by force: its mysqld may live on, where this pod's process list does not reach.
TEST_F(MemberTest, AMysqldOfThePodBeforeIsSeenByItsLock) {
  member_.reset();
  static std::string ibdata;
  ibdata = (config_.data_directory() / "ibdata1").string();
  fs::create_directories(config_.data_directory());
  std::ofstream(ibdata) << "x";
  auto record = EpochFile(config_.state_directory()).load().value();
  record.open = true;
  record.opened_by_pod = "the pod before";
  record.opened_on_boot = read_small_file("/proc/sys/kernel/random/boot_id", 100).value();
  while (record.opened_on_boot.ends_with('\n')) record.opened_on_boot.pop_back();
  ASSERT_TRUE(EpochFile(config_.state_directory()).save(record));
  const test::Child other([] { test::hold_lock(ibdata); });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (is_data_locked(config_.data_directory()) != true) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  const auto started = Member::start(config_, clock_, Logger());
  ASSERT_TRUE(started) << started.error().what;
  Member& member = **started;
  member.tick();
  EXPECT_EQ(member.state().process, Process::kUnknown);
  EXPECT_TRUE(member.state().start_error.contains("locked")) << member.state().start_error;
  other.kill();
  other.wait_for_zombie();
  member.tick();
  EXPECT_EQ(member.state().process, Process::kNotRunning);
  EXPECT_EQ(member.state().hold, wire::Hold::kCrashedPrimary);
}

TEST_F(MemberTest, DataWhoseRecordIsLostAreNotStarted) {
  member_.reset();
  const auto record = EpochFile(config_.state_directory()).path();
  fs::remove(record);
  fs::create_directories(config_.data_directory() / "mysql");
  const auto started = Member::start(config_, clock_, Logger());
  ASSERT_TRUE(started) << started.error().what;
  const auto state = (*started)->state();
  EXPECT_TRUE(state.start_error.contains("Restore the file")) << state.start_error;
  EXPECT_FALSE(fs::exists(record)) << "a fresh one would forget that they may have been held or fenced";
}

}  // namespace
}  // namespace baton::sidecar
