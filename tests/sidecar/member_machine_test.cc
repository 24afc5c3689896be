#include "sidecar/local/member_machine.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <utility>

namespace baton::sidecar {
namespace {

using wire::Directory;
using wire::Hold;
using wire::Process;
using enum GateAction;

const std::string kUuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

GtidSet set_of(const std::string& numbers) { return GtidSet::parse(kUuid + numbers).value(); }

/// A machine with a hand-driven clock; every save succeeds at once unless told otherwise.
struct Bench {
  explicit Bench(Result<EpochRecord> record, std::string boot_id = "boot")
      : machine({.member = "shop-0", .pod_uid = "uid", .boot_id = std::move(boot_id), .sidecar_id = {}},
                std::move(record)) {}

  static EpochRecord record_of(Directory directory) {
    EpochRecord record;
    record.uuid = kUuid;
    record.server_id = 7;
    record.directory = directory;
    return record;
  }

  /// Of a directory that was opened, and whose mysqld nobody has seen end.
  static EpochRecord opened_record(const std::string& pod = "uid", const std::string& boot = "boot") {
    auto record = record_of(Directory::kInitialized);
    record.epoch = record.opened_epoch = 1;
    record.open = true;
    record.opened_by_pod = pod;
    record.opened_on_boot = boot;
    return record;
  }

  /// Does the saves, as Member does; gives all that was asked of the gate.
  std::vector<GateAction> run(Effects effects) {
    std::vector<GateAction> actions;
    while (!effects.none()) {
      actions.append_range(effects.gate);
      scanned = scanned || effects.scan_logs;
      saves += effects.save ? 1 : 0;
      effects = effects.save ? machine.on_saved(*machine.record(), save_error, now) : Effects{};
    }
    return actions;
  }
  wire::Order order(std::int64_t epoch, std::int64_t revision) const {
    return {.epoch = epoch, .revision = revision, .member = "shop-0", .pod_uid = "uid", .command = wire::Permit{}};
  }
  void admit(std::int64_t epoch, std::int64_t revision) {
    auto effects = machine.admit(order(epoch, revision));
    ASSERT_TRUE(effects) << effects.error().what;
    run(*std::move(effects));
  }
  /// From nothing to a server that answers, as pid.
  void bring_up(int pid) {
    run(machine.on_process_list(std::nullopt, now));
    EXPECT_EQ(run(machine.on_gate_idle(now)), std::vector{kStart});
    run(machine.on_gate_running(pid, false));
    answer();
    EXPECT_EQ(state().process, Process::kRunning);
  }
  /// An order that comes now, and waits for nobody.
  std::vector<GateAction> permit() {
    auto effects = machine.permit(machine.fences(), now);
    EXPECT_TRUE(effects) << effects.error().what;
    return effects ? run(*std::move(effects)) : std::vector<GateAction>{};
  }
  /// The mysqld that was started last answers.
  void answer(wire::Sql sql = {}) { run(machine.on_sql(machine.ask_sql(), std::move(sql), now)); }
  void stay_silent() { machine.on_sql_error(machine.ask_sql(), "no answer within 1 s", now); }
  std::vector<GateAction> exit(int pid, int signal) {
    auto actions = run(machine.on_process_ended(pid, std::nullopt, now));
    actions.append_range(
        run(machine.on_gate_exited(pid, {.status = {}, .signal = signal, .ordered = false}, "last words", now)));
    return actions;
  }
  const wire::MemberState& state() const { return machine.state(); }

  MemberMachine machine;
  Instant now{std::chrono::hours(1)};
  std::string save_error;
  bool scanned = false;
  int saves = 0;
};

wire::Sql relaxed_sql() {
  wire::Sql sql;
  sql.relaxed = {"sync_binlog is 100, not 1"};
  return sql;
}

TEST(MemberMachine, RelaxedSettingsAreDriftUnlessTheyAreOrdered) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.answer(relaxed_sql());
  EXPECT_EQ(bench.state().sql->drift, relaxed_sql().relaxed);
  EXPECT_TRUE(bench.state().sql->relaxed.empty());
  auto marked = bench.machine.mark_relaxed();
  ASSERT_TRUE(marked);
  EXPECT_TRUE(marked->save) << "on disk before the settings change";
  EXPECT_FALSE(bench.state().relaxed) << "not told before it is";
  bench.run(*std::move(marked));
  EXPECT_TRUE(bench.state().relaxed);
  bench.answer(relaxed_sql());
  EXPECT_TRUE(bench.state().sql->drift.empty());
  EXPECT_EQ(bench.state().sql->relaxed, relaxed_sql().relaxed);
  EXPECT_TRUE(bench.machine.mark_relaxed()->none()) << "once is enough";
  bench.run(bench.machine.mark_restored());
  EXPECT_FALSE(bench.state().relaxed);
  EXPECT_EQ(bench.machine.record()->relaxed_on, "");
}

TEST(MemberMachine, AnOpenServerIsNotRelaxed) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.run(bench.machine.mark_open(1));
  EXPECT_EQ(bench.machine.mark_relaxed().error().kind, ErrorKind::kUnsafe);
  Bench nowhere(Bench::record_of(Directory::kCloned), "");
  EXPECT_EQ(nowhere.machine.mark_relaxed().error().kind, ErrorKind::kUnsafe) << "the node's boot is not known";
}

TEST(MemberMachine, TheEndOfMysqldAloneTakesNothingBack) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.run(*bench.machine.mark_relaxed());
  EXPECT_EQ(bench.exit(10, SIGKILL), std::vector{kStart});
  EXPECT_TRUE(bench.state().relaxed) << "what was committed before is not known to be on disk";
  Bench fresh(*bench.machine.record());
  fresh.bring_up(11);
  EXPECT_TRUE(fresh.state().relaxed) << "nor for a fresh sidecar";
}

TEST(MemberMachine, AHostThatWasBootedMeanwhileLeavesNothingToTrust) {
  for (const std::string boot : {"another boot", ""}) {
    EpochRecord record = Bench::record_of(Directory::kCloned);
    record.relaxed_on = "boot";
    Bench bench(record, boot);
    bench.run(bench.machine.on_process_list(std::nullopt, bench.now));
    EXPECT_TRUE(bench.run(bench.machine.on_gate_idle(bench.now)).empty()) << "never started";
    bench.now += std::chrono::minutes(1);
    EXPECT_TRUE(bench.run(bench.machine.on_tick(bench.now)).empty());
    EXPECT_EQ(bench.state().process, Process::kNotRunning);
    EXPECT_TRUE(bench.state().start_error.contains("rebuild this member")) << bench.state().start_error;
    EXPECT_FALSE(bench.scanned) << "its logs prove nothing";
    EXPECT_FALSE(bench.state().logs_readable);
    EXPECT_EQ(bench.state().logs_error, bench.state().start_error);
    bench.machine.set_servable(kUuid + ":1-5");
    EXPECT_EQ(bench.state().servable, "");
    EXPECT_EQ(bench.machine.admit(bench.order(9, 9)).error().kind, ErrorKind::kCorrupt);
  }
}

TEST(MemberMachine, WhatAServerSaidLongAgoIsNotItsWordAnyMore) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.now += std::chrono::milliseconds(1500);
  bench.stay_silent();
  EXPECT_TRUE(bench.state().sql.has_value()) << "one slow answer says nothing";
  EXPECT_EQ(bench.state().sql_error, "no answer within 1 s");
  bench.now += std::chrono::milliseconds(500);
  bench.stay_silent();
  EXPECT_FALSE(bench.state().sql.has_value()) << "a server that hangs must not look like one that acknowledges";
  EXPECT_EQ(bench.state().process, Process::kRunning);
  bench.answer();
  EXPECT_TRUE(bench.state().sql.has_value());
  EXPECT_TRUE(bench.state().sql_error.empty());
}

TEST(MemberMachine, AnAnswerOfTheServerBeforeIsNotThisOnes) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  const SqlTicket before = bench.machine.ask_sql();
  bench.exit(10, SIGKILL);
  bench.run(bench.machine.on_gate_running(11, false));
  bench.run(bench.machine.on_sql(before, {}, bench.now));
  EXPECT_EQ(bench.state().process, Process::kStarting) << "pid 11 has not answered yet";
  EXPECT_FALSE(bench.state().sql);
  EXPECT_FALSE(bench.machine.answered());
  bench.answer();
  EXPECT_EQ(bench.state().process, Process::kRunning);
  bench.now += std::chrono::seconds(2);
  bench.machine.on_sql_error(before, "lost connection", bench.now);
  EXPECT_TRUE(bench.state().sql) << "nor is its silence";
  EXPECT_EQ(bench.state().sql_error, "");
}

/// The reporter begins to ask, an order is carried out and its outcome read, and only then the reporter's answer comes.
TEST(MemberMachine, AnAnswerThatWasOvertakenIsDropped) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  wire::Sql receiving;
  receiving.channel.receiver = wire::Thread::kRunning;
  const SqlTicket reporters = bench.machine.ask_sql();
  bench.answer();
  bench.run(bench.machine.on_sql(reporters, receiving, bench.now));
  EXPECT_EQ(bench.state().sql->channel.receiver, wire::Thread::kStopped) << "the order had stopped it";
  bench.machine.on_sql_error(reporters, "lost connection", bench.now);
  EXPECT_EQ(bench.state().sql_error, "") << "the server has answered since";
  const SqlTicket again = bench.machine.ask_sql();
  bench.machine.forget_sql();
  bench.run(bench.machine.on_sql(again, receiving, bench.now));
  EXPECT_FALSE(bench.state().sql) << "nor does it bring back what was forgotten";
  bench.answer(receiving);
  EXPECT_EQ(bench.state().sql->channel.receiver, wire::Thread::kRunning);
}

TEST(MemberMachine, AReplicaIsStartedByItselfAndAgainAfterItEnds) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  EXPECT_EQ(bench.exit(10, SIGSEGV), std::vector{kStart});
  EXPECT_EQ(bench.state().process, Process::kStarting);
  EXPECT_EQ(bench.state().last_exit->signal, SIGSEGV);
  EXPECT_EQ(bench.state().hold, Hold::kNone);
}

TEST(MemberMachine, NothingIsKnownBeforeTheGateSpoke) {
  Bench bench(Bench::record_of(Directory::kCloned));
  EXPECT_TRUE(bench.run(bench.machine.on_process_list(std::nullopt, bench.now)).empty());
  EXPECT_EQ(bench.state().process, Process::kUnknown);
  bench.run(bench.machine.on_gate_idle(bench.now));
  EXPECT_EQ(bench.state().process, Process::kStarting);
}

TEST(MemberMachine, AnEmptyDirectoryWaitsForAnOrder) {
  Bench bench(Bench::record_of(Directory::kEmpty));
  EXPECT_TRUE(bench.run(bench.machine.on_gate_idle(bench.now)).empty());
  EXPECT_EQ(bench.state().process, Process::kNotRunning);
  EXPECT_TRUE(bench.run(bench.machine.on_tick(bench.now + std::chrono::hours(1))).empty());
}

TEST(MemberMachine, AnOpenServersEndIsHeldWhoeverEndedIt) {
  for (const bool ordered : {false, true}) {
    Bench bench(Bench::record_of(Directory::kInitialized));
    bench.bring_up(10);
    bench.admit(1, 1);
    bench.run(bench.machine.mark_open(1));
    if (ordered) {
      EXPECT_EQ(bench.run(bench.machine.on_gate_terminating()), std::vector{kKill});
    }
    EXPECT_TRUE(bench.exit(10, SIGKILL).empty()) << "not started again";
    EXPECT_EQ(bench.state().hold, Hold::kCrashedPrimary);
    EXPECT_EQ(bench.state().last_exit->ordered, ordered);
    EXPECT_TRUE(bench.scanned);
    EXPECT_TRUE(bench.run(bench.machine.on_tick(bench.now + std::chrono::hours(1))).empty());
    EXPECT_FALSE(bench.machine.record()->open);
  }
}

TEST(MemberMachine, AServerWhosePodIsBeingEndedIsNotOpened) {
  Bench bench(Bench::record_of(Directory::kCloned));
  EXPECT_EQ(bench.machine.may_open().error().kind, ErrorKind::kUnsafe) << "it does not run";
  bench.bring_up(10);
  EXPECT_TRUE(bench.machine.may_open());
  EXPECT_EQ(bench.run(bench.machine.on_gate_terminating()), std::vector{kTerminate});
  const auto refused = bench.machine.may_open();
  ASSERT_FALSE(refused) << "an orderly end tells waiting clients OK";
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsafe);
  Bench opened(Bench::record_of(Directory::kCloned));
  opened.bring_up(10);
  opened.run(opened.machine.mark_open(1));
  EXPECT_EQ(opened.run(opened.machine.on_gate_terminating()), std::vector{kKill}) << "no order is kept from now on";
}

TEST(MemberMachine, AFreshSidecarFindsADeadPrimaryWithoutTheGate) {
  Bench bench(Bench::opened_record());
  bench.run(bench.machine.on_process_list(std::nullopt, bench.now));
  EXPECT_EQ(bench.state().process, Process::kNotRunning);
  EXPECT_EQ(bench.state().hold, Hold::kCrashedPrimary);
  EXPECT_TRUE(bench.run(bench.machine.on_gate_idle(bench.now)).empty());
}

TEST(MemberMachine, AFreshSidecarFindsALivingPrimary) {
  Bench bench(Bench::opened_record());
  EXPECT_EQ(bench.machine.on_process_list(10, bench.now).watch, 10);
  EXPECT_TRUE(bench.run(bench.machine.on_gate_running(10, false)).empty());
  bench.answer();
  EXPECT_EQ(bench.state().process, Process::kRunning);
  EXPECT_EQ(bench.state().hold, Hold::kNone);
}

// ---- the directory was open in another pod, of which neither this pod's gate nor its process list knows anything

/// How a fresh sidecar learns that no mysqld runs in its own pod.
enum class Absence : std::uint8_t { kProcessList, kGateIdle };

class OpenInAnotherPod : public testing::TestWithParam<Absence> {
 protected:
  static void see_absence(Bench& bench) {
    const auto effects = GetParam() == Absence::kGateIdle ? bench.machine.on_gate_idle(bench.now)
                                                          : bench.machine.on_process_list(std::nullopt, bench.now);
    EXPECT_TRUE(bench.run(effects).empty());
  }
};
INSTANTIATE_TEST_SUITE_P(Absence, OpenInAnotherPod, testing::Values(Absence::kProcessList, Absence::kGateIdle));

TEST_P(OpenInAnotherPod, OnThisBootItsLockTellsWhetherItHasEnded) {
  Bench bench(Bench::opened_record("old"));
  see_absence(bench);
  EXPECT_EQ(bench.state().process, Process::kUnknown);
  EXPECT_TRUE(bench.state().start_error.contains("the mysqld of pod old")) << bench.state().start_error;
  EXPECT_TRUE(bench.machine.must_test_lock());
  EXPECT_TRUE(bench.run(bench.machine.on_data_lock(true, bench.now)).empty());
  EXPECT_TRUE(bench.state().start_error.contains("locked")) << bench.state().start_error;
  EXPECT_TRUE(bench.run(bench.machine.on_data_lock(fail(ErrorKind::kRetry, "no such file"), bench.now)).empty());
  EXPECT_TRUE(bench.state().start_error.contains("no such file")) << bench.state().start_error;
  see_absence(bench);
  bench.machine.on_sidecar_terminating();
  see_absence(bench);
  EXPECT_EQ(bench.state().process, Process::kUnknown) << "nor does the end of this pod prove that of the other";
  EXPECT_TRUE(bench.machine.record()->open);
  EXPECT_TRUE(bench.run(bench.machine.on_data_lock(false, bench.now)).empty());
  EXPECT_EQ(bench.state().process, Process::kNotRunning);
  EXPECT_EQ(bench.state().hold, Hold::kCrashedPrimary);
  EXPECT_EQ(bench.state().start_error, "");
  EXPECT_EQ(bench.state().unseen_pod, "") << "its end was seen";
  EXPECT_TRUE(bench.state().suspect_end) << "but not how it came";
  EXPECT_TRUE(bench.scanned);
  EXPECT_FALSE(bench.machine.must_test_lock());
  EXPECT_TRUE(bench.machine.on_data_lock(true, bench.now).none()) << "once is enough";
}

TEST_P(OpenInAnotherPod, ElsewhereItsEndIsUnseenUntilTheDirectoryIsOpenedAnew) {
  Bench bench(Bench::opened_record("old", "another boot"));
  see_absence(bench);
  EXPECT_FALSE(bench.machine.must_test_lock()) << "locks do not outlive a boot, nor reach another host";
  EXPECT_EQ(bench.state().process, Process::kNotRunning);
  EXPECT_EQ(bench.state().hold, Hold::kCrashedPrimary);
  EXPECT_EQ(bench.state().unseen_pod, "old");
  Bench next(*bench.machine.record());
  EXPECT_EQ(next.state().unseen_pod, "old") << "nor does the next sidecar forget it";
  next.run(next.machine.on_gate_idle(next.now));
  EXPECT_EQ(next.permit(), std::vector{kStart});
  next.run(next.machine.on_gate_running(10, false));
  next.answer();
  EXPECT_EQ(next.state().unseen_pod, "old");
  const EpochRecord before = *next.machine.record();
  next.run(next.machine.mark_open(2));
  EXPECT_EQ(next.state().unseen_pod, "");
  EXPECT_EQ(next.machine.record()->opened_by_pod, "uid");
  EXPECT_EQ(next.machine.record()->opened_on_boot, "boot");
  next.run(next.machine.unmark_open(before));
  EXPECT_EQ(*next.machine.record(), before) << "the server had refused";
  EXPECT_EQ(next.state().unseen_pod, "old");
}

TEST_P(OpenInAnotherPod, InThisPodItsAbsenceIsItsEnd) {
  Bench bench(Bench::opened_record());
  see_absence(bench);
  EXPECT_EQ(bench.state().process, Process::kNotRunning);
  EXPECT_EQ(bench.state().hold, Hold::kCrashedPrimary);
  EXPECT_EQ(bench.state().unseen_pod, "");
}

TEST(MemberMachine, AGateThatDialsAnewWithOldNewsChangesNothing) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  EXPECT_EQ(bench.exit(10, SIGSEGV), std::vector{kStart});
  bench.run(bench.machine.on_gate_running(11, false));
  bench.answer();
  bench.run(bench.machine.on_gate_lost());
  EXPECT_TRUE(bench.exit(10, SIGSEGV).empty());
  EXPECT_TRUE(bench.run(bench.machine.on_gate_running(11, false)).empty());
  EXPECT_EQ(bench.state().process, Process::kRunning);
  EXPECT_EQ(bench.machine.pid(), 11);
}

TEST(MemberMachine, AMysqldThatGetsTheNumberOfTheOneBeforeIsAnother) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  EXPECT_EQ(bench.exit(10, SIGSEGV), std::vector{kStart});
  EXPECT_EQ(bench.machine.on_gate_running(10, false).watch, 10);
  bench.answer();
  EXPECT_EQ(bench.state().process, Process::kRunning);
  // Of a mysqld whose end was seen the gate may still say that it runs, until it has seen the end too.
  bench.run(bench.machine.on_process_ended(10, SIGSEGV, bench.now));
  EXPECT_TRUE(bench.run(bench.machine.on_gate_running(10, false)).empty());
  EXPECT_EQ(bench.state().process, Process::kNotRunning);
}

TEST(MemberMachine, AFenceHoldsUntilPermitted) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  EXPECT_EQ(bench.run(bench.machine.fence()), std::vector{kKill});
  EXPECT_EQ(bench.state().hold, Hold::kFenced);
  EXPECT_TRUE(bench.exit(10, SIGKILL).empty());
  EXPECT_TRUE(bench.state().last_exit->ordered);
  EXPECT_EQ(bench.state().process, Process::kNotRunning);
  EXPECT_EQ(bench.permit(), std::vector{kStart});
  EXPECT_EQ(bench.state().hold, Hold::kNone);
}

/// A Permit waits for the order before it while a Fence, which waits for nobody, comes and is done.
TEST(MemberMachine, APermitThatCameBeforeAFenceDoesNotLiftIt) {
  for (const bool has_record : {true, false}) {
    Bench bench(has_record ? Result<EpochRecord>(Bench::record_of(Directory::kCloned))
                           : fail(ErrorKind::kRetry, "the disk refuses"));
    bench.run(bench.machine.on_process_list(10, bench.now));
    const int fences = bench.machine.fences();
    if (has_record) {
      bench.run(bench.machine.fence());
    } else {
      bench.run(*bench.machine.fence_unrecorded(bench.order(1, 1)));
      bench.run(bench.machine.on_record(Bench::record_of(Directory::kCloned), bench.now));
    }
    bench.exit(10, SIGKILL);
    bench.admit(9, 9);
    const auto refused = bench.machine.permit(fences, bench.now);
    ASSERT_FALSE(refused) << "whatever its numbers";
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnsafe);
    EXPECT_TRUE(bench.machine.fenced());
    bench.run(bench.machine.on_gate_idle(bench.now));
    EXPECT_EQ(bench.state().process, Process::kNotRunning);
    EXPECT_EQ(bench.permit(), std::vector{kStart}) << "one that comes later";
    EXPECT_FALSE(bench.machine.fenced());
  }
}

TEST(MemberMachine, AFencedPrimaryStaysFencedAfterItsEnd) {
  Bench bench(Bench::record_of(Directory::kInitialized));
  bench.bring_up(10);
  bench.run(bench.machine.mark_open(1));
  EXPECT_EQ(bench.run(bench.machine.fence()), std::vector{kKill});
  EXPECT_TRUE(bench.exit(10, SIGKILL).empty());
  EXPECT_EQ(bench.state().hold, Hold::kFenced) << "its death was ordered: it has not crashed";
  EXPECT_FALSE(bench.machine.record()->open);
}

TEST(MemberMachine, AnEndThatOvertakesAStartIsNotLost) {
  Bench fenced(Bench::record_of(Directory::kCloned));
  EXPECT_EQ(fenced.run(fenced.machine.on_gate_idle(fenced.now)), std::vector{kStart});
  EXPECT_EQ(fenced.run(fenced.machine.fence()), std::vector{kKill});
  EXPECT_EQ(fenced.run(fenced.machine.on_gate_running(10, false)), std::vector{kKill});
  Bench terminated(Bench::record_of(Directory::kCloned));
  EXPECT_EQ(terminated.run(terminated.machine.on_gate_idle(terminated.now)), std::vector{kStart});
  EXPECT_EQ(terminated.run(terminated.machine.on_gate_terminating()), std::vector{kTerminate});
  EXPECT_EQ(terminated.run(terminated.machine.on_gate_running(10, false)), std::vector{kKill});
}

TEST(MemberMachine, NoStartBeforeTheRecordIsOnDisk) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.run(bench.machine.on_gate_idle(bench.now));
  bench.run(bench.machine.on_gate_running(10, false));
  bench.run(bench.machine.fence());
  bench.exit(10, SIGKILL);
  bench.save_error = "disk full";
  EXPECT_TRUE(bench.permit().empty());
  EXPECT_EQ(bench.state().hold, Hold::kFenced) << "the wire shows what is on disk";
  EXPECT_EQ(bench.state().start_error, "disk full");
  bench.save_error.clear();
  EXPECT_EQ(bench.run(bench.machine.on_tick(bench.now)), std::vector{kStart});
  EXPECT_EQ(bench.state().start_error, "") << "it could be written again";
}

TEST(MemberMachine, ARecordThatCanBeWrittenAgainTakesNoOtherSentenceBack) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.run(bench.machine.on_gate_idle(bench.now));
  bench.run(bench.machine.on_gate_running(10, false));
  bench.save_error = "disk full";
  ASSERT_TRUE(bench.machine.admit(bench.order(2, 1)));
  bench.run(bench.machine.on_tick(bench.now));
  EXPECT_EQ(bench.state().start_error, "disk full");
  bench.exit(10, SIGABRT);
  const std::string why = bench.state().start_error;
  EXPECT_TRUE(why.starts_with("killed by signal 6")) << why;
  bench.save_error.clear();
  bench.run(bench.machine.on_tick(bench.now));
  EXPECT_TRUE(bench.machine.saved());
  EXPECT_EQ(bench.state().start_error, why);
}

/// The file is written beside everything else.
TEST(MemberMachine, WhatChangedWhileTheRecordWasWrittenIsNotTakenForWritten) {
  Bench bench(Bench::record_of(Directory::kInitialized));
  bench.bring_up(10);
  bench.run(bench.machine.mark_open(1));
  ASSERT_TRUE(bench.machine.admit(bench.order(2, 1)));
  const EpochRecord begun = *bench.machine.record();
  bench.now += std::chrono::milliseconds(1);
  EXPECT_TRUE(bench.machine.on_process_ended(10, SIGKILL, bench.now).save);
  EXPECT_EQ(bench.state().hold, Hold::kCrashedPrimary) << "told at once";
  EXPECT_EQ(bench.state().epoch, 0) << "not on disk yet";
  EXPECT_TRUE(bench.machine.on_saved(begun, "", bench.now).none());
  EXPECT_EQ(bench.state().hold, Hold::kCrashedPrimary) << "the file says open, which is as good";
  EXPECT_EQ(bench.state().epoch, 2);
  EXPECT_FALSE(bench.machine.saved());
  bench.run(bench.machine.on_tick(bench.now));
  EXPECT_TRUE(bench.machine.saved());
  EXPECT_EQ(bench.state().hold, Hold::kCrashedPrimary);
}

TEST(MemberMachine, AServerThatNeverAnswersIsStartedEverMoreRarely) {
  Bench bench(Bench::record_of(Directory::kCloned));
  std::vector<int> seconds;
  auto actions = bench.run(bench.machine.on_gate_idle(bench.now));
  for (int pid = 10; pid < 18; ++pid) {
    ASSERT_EQ(actions, std::vector{kStart});
    bench.run(bench.machine.on_gate_running(pid, false));
    const Instant ended = bench.now;
    actions = bench.exit(pid, SIGABRT);
    EXPECT_EQ(bench.state().start_error, "killed by signal 6; last in its log: last words");
    while (actions.empty()) {
      bench.now += std::chrono::seconds(1);
      actions = bench.run(bench.machine.on_tick(bench.now));
    }
    seconds.push_back(static_cast<int>((bench.now - ended) / std::chrono::seconds(1)));
  }
  EXPECT_EQ(seconds, (std::vector{1, 1, 2, 4, 8, 16, 30, 30}));
  bench.run(bench.machine.on_gate_running(20, false));
  bench.answer();
  EXPECT_EQ(bench.state().start_error, "");
}

TEST(MemberMachine, ADemandForRestartIsMetAtOnce) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.run(bench.machine.on_process_ended(10, std::nullopt, bench.now));
  EXPECT_EQ(bench.run(bench.machine.on_gate_exited(10, {.status = 16, .signal = {}, .ordered = false}, "", bench.now)),
            std::vector{kStart});
  EXPECT_EQ(bench.state().unordered_ends, 0);
}

TEST(MemberMachine, TheEndOfAnOpenServerIsSuspectUntilASignalIsKnownToHaveBroughtIt) {
  const wire::Exit by_itself{.status = 0, .signal = {}, .ordered = false};
  const wire::Exit killed{.status = {}, .signal = SIGKILL, .ordered = false};
  for (const bool seen_at_once : {false, true}) {
    Bench bench(Bench::record_of(Directory::kCloned));
    bench.bring_up(10);
    bench.run(bench.machine.mark_open(1));
    bench.run(bench.machine.on_process_ended(10, seen_at_once ? std::optional(SIGKILL) : std::nullopt, bench.now));
    EXPECT_EQ(bench.state().suspect_end, !seen_at_once);
    EXPECT_EQ(bench.machine.record()->suspect_end, !seen_at_once) << "a fresh sidecar must know";
    bench.run(bench.machine.on_gate_exited(10, killed, "", bench.now));
    EXPECT_FALSE(bench.state().suspect_end);
    EXPECT_FALSE(bench.machine.record()->suspect_end);
    EXPECT_TRUE(bench.machine.saved());
  }
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.run(bench.machine.mark_open(1));
  bench.run(bench.machine.on_process_ended(10, std::nullopt, bench.now));
  bench.run(bench.machine.on_gate_exited(10, by_itself, "", bench.now));
  EXPECT_TRUE(bench.state().suspect_end) << "clients were told OK for rows that no replica has";
  bench.permit();
  bench.run(bench.machine.on_gate_running(11, false));
  bench.answer();
  EXPECT_TRUE(bench.state().suspect_end) << "until it is opened anew, by a record that knows what it holds";
  bench.exit(11, SIGKILL);
  EXPECT_TRUE(bench.state().suspect_end) << "the end of another says nothing about it";
  bench.run(bench.machine.on_gate_running(12, false));
  bench.answer();
  bench.run(bench.machine.mark_open(2));
  EXPECT_FALSE(bench.machine.record()->suspect_end);
}

/// A directory whose mysqld, pid 10, ended while it was open, nobody knows how.
EpochRecord suspect_record() {
  auto record = Bench::opened_record();
  record.open = false;
  record.suspect_end = true;
  return record;
}

TEST(MemberMachine, TheEndOfAnotherMysqldTakesNoSuspicionAway) {
  Bench bench(suspect_record());
  bench.run(bench.machine.on_process_list(std::nullopt, bench.now));
  bench.save_error = "disk full";
  EXPECT_TRUE(bench.run(bench.machine.on_gate_idle(bench.now)).empty())
      << "not before it is on disk that one was started";
  bench.save_error.clear();
  EXPECT_EQ(bench.run(bench.machine.on_tick(bench.now)), std::vector{kStart});
  bench.run(bench.machine.on_gate_running(11, false));
  EXPECT_EQ(bench.exit(11, SIGKILL), std::vector<GateAction>{}) << "it never answered: after a pause";
  EXPECT_TRUE(bench.state().suspect_end) << "that of pid 10 was another";
  // Nor does a sidecar that knows only the record take the end of pid 11 for that of pid 10.
  Bench next(*bench.machine.record());
  next.exit(11, SIGKILL);
  EXPECT_EQ(next.run(next.machine.on_gate_idle(next.now)), std::vector{kStart});
  EXPECT_TRUE(next.state().suspect_end);
  next.run(next.machine.on_gate_running(12, false));
  next.answer();
  const EpochRecord before = *next.machine.record();
  next.run(next.machine.mark_open(2));
  EXPECT_FALSE(next.machine.record()->suspect_end || next.machine.record()->suspect_stays);
  next.run(next.machine.unmark_open(before));
  EXPECT_EQ(*next.machine.record(), before) << "the server had refused";
  next.run(next.machine.mark_open(2));
  next.exit(12, SIGKILL);
  EXPECT_FALSE(next.state().suspect_end) << "the end of one that was open is judged by itself";
}

TEST(MemberMachine, AMysqldThatAnEarlierSidecarStartedIsNotTheOneThatWasOpen) {
  Bench bench(suspect_record());
  EXPECT_TRUE(bench.run(bench.machine.on_gate_running(11, false)).empty());
  EXPECT_TRUE(bench.machine.record()->suspect_stays);
  EXPECT_TRUE(bench.machine.saved());
  bench.exit(11, SIGKILL);
  EXPECT_TRUE(bench.state().suspect_end);
}

/// A gate tells its last exit when it dials, and then what it sees: that mysqld is still being reaped, or nothing.
TEST(MemberMachine, TheExitThatAGateTellsFirstIsOfTheLastMysqldOnlyIfItIsIdle) {
  const wire::Exit killed{.status = {}, .signal = SIGKILL, .ordered = false};
  Bench reaped(Bench::opened_record());
  reaped.run(reaped.machine.on_process_list(std::nullopt, reaped.now));
  reaped.run(reaped.machine.on_gate_exited(10, killed, "", reaped.now));
  reaped.run(reaped.machine.on_gate_idle(reaped.now));
  EXPECT_FALSE(reaped.state().suspect_end);
  EXPECT_FALSE(reaped.machine.record()->suspect_end);
  Bench bench(Bench::opened_record());
  bench.run(bench.machine.on_process_list(std::nullopt, bench.now));
  bench.run(bench.machine.on_gate_exited(9, killed, "", bench.now));
  bench.run(bench.machine.on_gate_running(10, false));
  bench.run(bench.machine.on_gate_exited(10, {.status = 0, .signal = {}, .ordered = false}, "", bench.now));
  EXPECT_TRUE(bench.state().suspect_end) << "the signal ended the one before it";
}

TEST(MemberMachine, TheEndOfOneThatWasNotOpenIsNotSuspect) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.run(bench.machine.on_process_ended(10, std::nullopt, bench.now));
  EXPECT_FALSE(bench.state().suspect_end);
}

TEST(MemberMachine, EndsInARowAreCountedUntilAServerLives) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  std::vector<std::pair<std::int64_t, std::int64_t>> told;
  for (int pid = 10; pid < 14; ++pid) {
    bench.exit(pid, SIGKILL);
    told.emplace_back(bench.state().unordered_ends, bench.state().restart_pause_seconds);
    EXPECT_EQ(bench.state().start_error, "") << "it had answered";
    bench.now += std::chrono::seconds(bench.state().restart_pause_seconds);
    bench.run(bench.machine.on_tick(bench.now));
    bench.run(bench.machine.on_gate_running(pid + 1, false));
    bench.answer();
  }
  EXPECT_EQ(told, (std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 0}, {2, 1}, {3, 2}, {4, 4}}));
  bench.now += std::chrono::seconds(29);
  bench.answer();
  EXPECT_EQ(bench.state().unordered_ends, 4);
  bench.now += std::chrono::seconds(1);
  bench.answer();
  EXPECT_EQ(bench.state().unordered_ends, 0);
  EXPECT_EQ(bench.state().restart_pause_seconds, 0);
  bench.run(bench.machine.fence());
  bench.exit(14, SIGKILL);
  EXPECT_EQ(bench.state().unordered_ends, 0) << "this one was ordered";
}

TEST(MemberMachine, AReplicaThatGetsAnAccountIsNoStranger) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.run(bench.machine.mark_open(1));
  EXPECT_TRUE(bench.machine.allow_replica("a").none()) << "nobody was told to be a stranger yet";
  bench.run(bench.machine.remember_ackers({"a"}));
  EXPECT_TRUE(bench.machine.allow_replica("a").none());
  EXPECT_TRUE(bench.machine.allow_replica("b").save) << "on disk before it can log in";
  EXPECT_EQ(bench.machine.record()->replicas, (std::vector<std::string>{"a", "b"}));
  bench.run(bench.machine.mark_open(1));
  EXPECT_TRUE(bench.machine.record()->ackers_known) << "open already";
}

TEST(MemberMachine, ANewOpeningForgetsTheAckersOfAnEarlierOne) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  bench.run(bench.machine.mark_open(1));
  bench.run(bench.machine.remember_ackers({"a"}));
  const EpochRecord before = *bench.machine.record();
  bench.run(bench.machine.mark_open(2));
  EXPECT_FALSE(bench.machine.record()->ackers_known) << "members may have come since";
  EXPECT_TRUE(bench.machine.record()->replicas.empty());
  bench.run(bench.machine.unmark_open(before));
  EXPECT_EQ(*bench.machine.record(), before);
}

TEST(MemberMachine, OrdersBelowTheHighestSeenAreRefused) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.admit(2, 5);
  EXPECT_EQ(bench.saves, 1);
  bench.admit(2, 5);
  EXPECT_EQ(bench.saves, 1) << "nothing new: no fsync";
  bench.admit(2, 6);
  EXPECT_EQ(bench.state().revision, 6);
  for (const auto& [epoch, revision] : {std::pair(1, 99), std::pair(2, 5), std::pair(0, 0)}) {
    const auto refused = bench.machine.admit(bench.order(epoch, revision));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnsafe);
    EXPECT_NE(refused.error().what.find("epoch 2 revision 6"), std::string::npos);
  }
  bench.admit(3, 1);
  EXPECT_EQ(bench.state().epoch, 3);
}

TEST(MemberMachine, AnOrderThatCouldNotBeWrittenDownIsWrittenDownWhenItComesAgain) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.save_error = "disk full";
  for (int time = 1; time <= 2; ++time) {
    const auto effects = bench.machine.admit(bench.order(2, 5));
    ASSERT_TRUE(effects);
    EXPECT_TRUE(effects->save) << "time " << time << ": it is not done before its numbers are on disk";
    bench.run(*effects);
  }
  bench.save_error.clear();
  bench.admit(2, 5);
  EXPECT_EQ(bench.state().revision, 5);
}

TEST(MemberMachine, OrdersForAnotherPodAreRefused) {
  Bench bench(Bench::record_of(Directory::kCloned));
  auto order = bench.order(9, 9);
  order.pod_uid = "the pod before";
  EXPECT_EQ(bench.machine.admit(order).error().kind, ErrorKind::kUnsafe);
  order = bench.order(9, 9);
  order.member = "shop-1";
  EXPECT_EQ(bench.machine.admit(order).error().kind, ErrorKind::kUnsafe);
  EXPECT_EQ(bench.state().epoch, 0) << "their numbers are not taken up";
}

TEST(MemberMachine, ACorruptRecordStartsNothing) {
  MemberMachine machine({.member = "shop-0", .pod_uid = "uid", .boot_id = {}, .sidecar_id = {}},
                        fail(ErrorKind::kCorrupt, "cannot be trusted"));
  EXPECT_TRUE(machine.on_gate_idle(Instant{}).gate.empty());
  EXPECT_TRUE(machine.on_tick(Instant(std::chrono::hours(9))).gate.empty());
  EXPECT_EQ(machine.state().start_error, "cannot be trusted");
  EXPECT_FALSE(
      machine.admit({.epoch = 1, .revision = 1, .member = "shop-0", .pod_uid = "uid", .command = wire::Permit{}}));
  EXPECT_FALSE(machine.begin_task(Task::kInitialize));
  EXPECT_TRUE(machine.on_gate_running(10, false).gate.empty()) << "one that runs is left alone";
  EXPECT_EQ(machine.on_gate_terminating().gate, std::vector{kKill}) << "it may be an open primary";
}

TEST(MemberMachine, AFenceKillsAlsoWhereNoRecordCanBeTrusted) {
  Bench bench(fail(ErrorKind::kCorrupt, "cannot be trusted"));
  EXPECT_EQ(bench.machine.on_process_list(10, bench.now).watch, 10);
  auto order = bench.order(1, 1);
  order.pod_uid = "the pod before";
  EXPECT_EQ(bench.machine.fence_unrecorded(order).error().kind, ErrorKind::kUnsafe);
  EXPECT_EQ(bench.run(*bench.machine.fence_unrecorded(bench.order(1, 1))), std::vector{kKill});
  EXPECT_TRUE(bench.exit(10, SIGKILL).empty());
  EXPECT_EQ(bench.state().process, Process::kNotRunning);
  EXPECT_TRUE(bench.state().last_exit->ordered);
  EXPECT_EQ(bench.saves, 0) << "there is nothing that could be written down";
  EXPECT_FALSE(bench.machine.must_read_record()) << "it is not mended by itself";
}

/// What a sidecar learns of whose record the disk had refused until now.
class LateRecord : public testing::Test {
 protected:
  static EpochRecord seen(std::int64_t epoch, bool open) {
    EpochRecord record = Bench::opened_record();
    record.epoch = epoch;
    record.open = open;
    return record;
  }
  std::vector<GateAction> read(Result<EpochRecord> record) {
    return bench_.run(bench_.machine.on_record(std::move(record), bench_.now));
  }

  Bench bench_{fail(ErrorKind::kRetry, "the disk refuses")};
};

TEST_F(LateRecord, IsTakenUpLikeAnyOther) {
  bench_.run(bench_.machine.on_process_list(std::nullopt, bench_.now));
  EXPECT_TRUE(bench_.run(bench_.machine.on_gate_idle(bench_.now)).empty());
  EXPECT_TRUE(bench_.machine.must_read_record());
  EXPECT_TRUE(read(fail(ErrorKind::kRetry, "still")).empty());
  EXPECT_EQ(bench_.state().start_error, "still");
  EXPECT_EQ(read(seen(3, false)), std::vector{kStart});
  EXPECT_FALSE(bench_.machine.must_read_record());
  EXPECT_EQ(bench_.state().epoch, 3);
  EXPECT_EQ(bench_.state().start_error + bench_.state().logs_error, "");
  EXPECT_TRUE(read(seen(1, true)).empty()) << "there is one";
  EXPECT_EQ(bench_.state().epoch, 3);
}

TEST_F(LateRecord, OfAPrimaryThatIsDownByThenHoldsIt) {
  bench_.run(bench_.machine.on_process_list(10, bench_.now));
  bench_.exit(10, SIGKILL);
  EXPECT_FALSE(bench_.scanned);
  EXPECT_TRUE(read(seen(1, true)).empty());
  EXPECT_EQ(bench_.state().hold, Hold::kCrashedPrimary);
  EXPECT_FALSE(bench_.machine.record()->open);
  EXPECT_FALSE(bench_.state().suspect_end) << "it was seen to be killed";
  EXPECT_TRUE(bench_.scanned);
  EXPECT_EQ(bench_.saves, 1);
}

TEST_F(LateRecord, OfAPrimaryThatLivesLeavesItAlone) {
  bench_.run(bench_.machine.on_process_list(10, bench_.now));
  EXPECT_TRUE(read(seen(1, true)).empty());
  bench_.answer();
  EXPECT_EQ(bench_.state().process, Process::kRunning);
  EXPECT_EQ(bench_.state().hold, Hold::kNone);
}

TEST_F(LateRecord, TakesUpAFenceUnlessThatWasLate) {
  for (const std::int64_t epoch : {2, 3, 4}) {
    bench_ = Bench(fail(ErrorKind::kRetry, "the disk refuses"));
    bench_.run(bench_.machine.on_process_list(10, bench_.now));
    EXPECT_EQ(bench_.run(*bench_.machine.fence_unrecorded(bench_.order(epoch, 0))), std::vector{kKill});
    bench_.exit(10, SIGKILL);
    bench_.now += std::chrono::seconds(1);
    const bool is_late = epoch < 3;
    EXPECT_EQ(read(seen(3, false)), is_late ? std::vector{kStart} : std::vector<GateAction>{}) << epoch;
    EXPECT_EQ(bench_.state().hold, is_late ? Hold::kNone : Hold::kFenced) << epoch;
    EXPECT_EQ(bench_.state().epoch, is_late ? 3 : epoch);
  }
}

TEST_F(LateRecord, OfADirectoryThatIsOpenInAnotherPodTakesTheGatesWordBack) {
  for (const std::string boot : {"boot", "another boot"}) {
    bench_ = Bench(fail(ErrorKind::kRetry, "the disk refuses"));
    bench_.run(bench_.machine.on_gate_idle(bench_.now));
    EXPECT_EQ(bench_.state().process, Process::kNotRunning);
    EXPECT_TRUE(read(Bench::opened_record("old", boot)).empty());
    EXPECT_EQ(bench_.state().process, Process::kUnknown);
    EXPECT_EQ(bench_.machine.must_test_lock(), boot == "boot");
    bench_.run(bench_.machine.on_process_list(std::nullopt, bench_.now));
    EXPECT_EQ(bench_.state().process, boot == "boot" ? Process::kUnknown : Process::kNotRunning);
    EXPECT_EQ(bench_.state().unseen_pod, boot == "boot" ? "" : "old");
  }
}

TEST(MemberMachine, SigtermKillsAPrimaryAndEndsAReplica) {
  Bench replica(Bench::record_of(Directory::kCloned));
  replica.bring_up(10);
  EXPECT_EQ(replica.run(replica.machine.on_gate_terminating()), std::vector{kTerminate});
  EXPECT_TRUE(replica.exit(10, SIGTERM).empty()) << "no start while the pod ends";
  EXPECT_TRUE(replica.state().last_exit->ordered);
}

TEST(MemberMachine, LogsAreThoseOfTheLastScanWithWhatTheLogsLack) {
  auto record = Bench::record_of(Directory::kCloned);
  record.hold = Hold::kFenced;
  record.outside_logs = kUuid + ":1-3";
  Bench bench(record);
  bench.run(bench.machine.on_gate_idle(bench.now));
  const int scan = bench.machine.scan();
  bench.machine.on_logs(scan - 1, set_of(":9"));
  EXPECT_FALSE(bench.state().logs_readable);
  bench.machine.on_logs(scan, fail(ErrorKind::kRetry, "the disk refuses"));
  EXPECT_FALSE(bench.state().logs_readable);
  EXPECT_EQ(bench.state().logs_error, "the disk refuses");
  bench.machine.on_logs(scan, set_of(":4-8"));
  EXPECT_TRUE(bench.state().logs_readable);
  EXPECT_EQ(bench.state().logs_error, "");
  EXPECT_EQ(bench.state().logs_gtid_set, kUuid + ":1-8");
  bench.permit();
  EXPECT_FALSE(bench.state().logs_readable) << "mysqld writes again";
}

TEST(MemberMachine, LogsAreOfferedOnlyWhereThereAreAny) {
  Bench empty(Bench::record_of(Directory::kEmpty));
  EXPECT_EQ(empty.machine.offer_logs("r", "").error().kind, ErrorKind::kUnsafe);
  EXPECT_TRUE(empty.machine.offer_logs("", "")) << "nothing to nobody";
  empty.machine.set_servable("s");
  EXPECT_EQ(empty.state().servable, "") << "a directory that is being made serves nothing";
  Bench bench(Bench::record_of(Directory::kCloned));
  EXPECT_TRUE(bench.machine.offer_logs("r", "s")) << "whether mysqld runs or not";
  EXPECT_EQ(bench.state().offered_to, "r");
  EXPECT_EQ(bench.state().offered, "s");
  bench.machine.set_servable("s");
  EXPECT_EQ(bench.state().servable, "s");
  EXPECT_TRUE(bench.machine.offer_logs("", ""));
  EXPECT_EQ(bench.state().offered_to + bench.state().offered, "");
}

TEST(MemberMachine, PurgedTransactionsAreRemembered) {
  Bench bench(Bench::record_of(Directory::kCloned));
  bench.bring_up(10);
  wire::Sql sql;
  sql.gtid_purged = kUuid + ":1-3";
  EXPECT_TRUE(bench.machine.on_sql(bench.machine.ask_sql(), sql, bench.now).save);
  EXPECT_EQ(bench.machine.record()->outside_logs, sql.gtid_purged);
}

TEST(MemberMachine, ATaskOwnsAnEmptyDirectoryAlone) {
  Bench bench(Bench::record_of(Directory::kEmpty));
  EXPECT_EQ(bench.machine.begin_task(Task::kClone).error().kind, ErrorKind::kRetry) << "the gate has not spoken";
  bench.run(bench.machine.on_gate_idle(bench.now));
  ASSERT_TRUE(bench.machine.begin_task(Task::kClone));
  EXPECT_EQ(bench.machine.begin_task(Task::kInitialize).error().kind, ErrorKind::kRetry);
  EXPECT_EQ(bench.run(*bench.machine.task_start(kInitialize)), std::vector{kInitialize});
  EXPECT_EQ(bench.state().process, Process::kCloning);
  bench.run(bench.machine.on_gate_running(10, true));
  EXPECT_TRUE(bench.exit(10, SIGKILL).empty()) << "no start by itself within a task";
  EXPECT_EQ(bench.run(*bench.machine.task_start(kStart)), std::vector{kStart});
  bench.run(bench.machine.on_gate_running(11, false));
  bench.answer();
  EXPECT_TRUE(bench.machine.answered());
  EXPECT_FALSE(bench.state().sql) << "a scratch server's state is nobody's business";
  EXPECT_EQ(bench.run(bench.machine.fail_task("the donor is away")), std::vector{kKill});
  EXPECT_EQ(bench.state().start_error, "the donor is away");
  EXPECT_EQ(bench.state().directory, Directory::kEmpty);
  bench.exit(11, SIGKILL);
  ASSERT_TRUE(bench.machine.begin_task(Task::kClone)) << "and again";
}

TEST(MemberMachine, AFenceOrSigtermWithinATaskEndsIt) {
  for (const bool is_fence : {true, false}) {
    Bench bench(Bench::record_of(Directory::kEmpty));
    bench.run(bench.machine.on_gate_idle(bench.now));
    ASSERT_TRUE(bench.machine.begin_task(Task::kClone));
    bench.run(*bench.machine.task_start(kInitialize));
    bench.run(bench.machine.on_gate_running(10, true));
    EXPECT_EQ(bench.run(is_fence ? bench.machine.fence() : bench.machine.on_gate_terminating()), std::vector{kKill});
    bench.exit(10, SIGKILL);
    const auto next = bench.machine.task_start(kStart);
    ASSERT_FALSE(next) << (is_fence ? "fenced" : "told to end");
    EXPECT_EQ(next.error().kind, ErrorKind::kCancelled);
    bench.run(bench.machine.fail_task(next.error().what));
    EXPECT_FALSE(bench.machine.begin_task(Task::kClone));
  }
}

TEST(MemberMachine, AScratchServerOfAnEarlierSidecarIsEnded) {
  Bench bench(Bench::record_of(Directory::kEmpty));
  EXPECT_EQ(bench.run(bench.machine.on_process_list(10, bench.now)), std::vector{kKill});
}

}  // namespace
}  // namespace baton::sidecar
