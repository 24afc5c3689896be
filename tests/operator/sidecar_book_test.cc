#include "operator/sidecars/sidecar_book.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "sidecar/wire/order.h"
#include "tests/operator/shop.h"

namespace baton {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using News = SidecarBook::News;
using test::kShop;
using test::kStart;

wire::MemberState replica(std::int64_t sequence) {
  wire::MemberState state{.member = "shop-1", .pod_uid = "pod-1", .boot_id = "boot", .sidecar_id = "a"};
  state.sequence = sequence;
  state.uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
  state.directory = wire::Directory::kCloned;
  state.process = wire::Process::kRunning;
  state.sql.emplace();
  state.sql->gtid_executed = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";
  state.sql->channel.source_host = "10.0.0.1";
  state.sql->channel.receiver = wire::Thread::kRunning;
  state.sql->semi_sync.replica_active = true;
  return state;
}

wire::MemberState dead(std::int64_t sequence) {
  auto state = replica(sequence);
  state.sql.reset();
  state.process = wire::Process::kNotRunning;
  state.last_exit = wire::Exit{.signal = 9};
  return state;
}

class SidecarBookTest : public ::testing::Test {
 protected:
  News hear(wire::MemberState state, Instant at) {
    const auto news = book_.hear(kShop, std::move(state), at);
    EXPECT_TRUE(news.has_value());
    return news.value_or(News::kNothing);
  }
  std::optional<SidecarBook::Entry> only(Instant at) {
    const auto entries = book_.entries(kShop, at);
    EXPECT_EQ(entries.size(), 1U);
    return entries.empty() ? std::nullopt : std::optional(entries.front());
  }
  SidecarBook book_;
};

TEST_F(SidecarBookTest, UnchangedLinesOnlyMoveTheTime) {
  EXPECT_EQ(hear(replica(1), kStart), News::kChange);
  EXPECT_EQ(hear(replica(2), kStart + milliseconds(500)), News::kNothing);
  EXPECT_EQ(only(kStart + milliseconds(500))->heard_at, kStart + milliseconds(500));
}

TEST_F(SidecarBookTest, RelaxedIsWhatWasOrderedAndWhatTheServerSays) {
  auto state = replica(1);
  hear(state, kStart);
  EXPECT_FALSE(only(kStart)->line->report.relaxed);
  EXPECT_FALSE(only(kStart)->line->report.server->relaxed);
  state = replica(2);
  state.relaxed = true;
  EXPECT_EQ(hear(state, kStart), News::kChange);
  EXPECT_TRUE(only(kStart)->line->report.relaxed);
  EXPECT_FALSE(only(kStart)->line->report.server->relaxed) << "a mysqld that was started anew is strict";
  state = replica(3);
  state.relaxed = true;
  state.sql->relaxed = {"sync_binlog is 100, not 1"};
  EXPECT_EQ(hear(state, kStart), News::kChange);
  EXPECT_TRUE(only(kStart)->line->report.server->relaxed);
}

TEST_F(SidecarBookTest, GtidSetsAloneAreProgress) {
  hear(replica(1), kStart);
  auto later = replica(2);
  later.sql->gtid_executed = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9";
  EXPECT_EQ(hear(later, kStart), News::kProgress);
  EXPECT_EQ(only(kStart)->line->report.server->executed.size(), 9U);
}

TEST_F(SidecarBookTest, DownSinceIsTheFirstLineThatSaysSo) {
  hear(replica(1), kStart);
  EXPECT_FALSE(only(kStart)->down_since.has_value());
  hear(dead(2), kStart + seconds(1));
  auto more = dead(3);
  more.logs_readable = true;
  more.logs_gtid_set = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7";
  hear(more, kStart + seconds(2));
  const auto entry = only(kStart + seconds(2));
  EXPECT_EQ(entry->down_since, kStart + seconds(1));
  EXPECT_EQ(entry->line->report.exit, "killed by signal 9");
  ASSERT_TRUE(entry->line->report.dead_log.has_value());
  EXPECT_EQ(entry->line->report.dead_log->size(), 7U);
  hear(replica(4), kStart + seconds(3));
  EXPECT_FALSE(only(kStart + seconds(3))->down_since.has_value());
}

TEST_F(SidecarBookTest, AnEndIsSuspectUntilItIsToldAndWhenItWasAShutDown) {
  const auto end_of = [&](std::optional<wire::Exit> exit, bool suspect, std::int64_t sequence) {
    auto state = dead(sequence);
    state.last_exit = std::move(exit);
    state.suspect_end = suspect;
    hear(state, kStart);
    return only(kStart)->line->report.open_end;
  };
  EXPECT_EQ(end_of(wire::Exit{.signal = 9}, false, 1), engine::OpenEnd::kNone);
  EXPECT_EQ(end_of(wire::Exit{}, true, 2), engine::OpenEnd::kUntold);
  EXPECT_EQ(end_of(std::nullopt, true, 3), engine::OpenEnd::kUntold) << "for a sidecar that did not see it";
  EXPECT_EQ(end_of(wire::Exit{.status = 0}, true, 4), engine::OpenEnd::kShutDown);
}

TEST_F(SidecarBookTest, SemiSyncCountsWhenItIsOnAndWorks) {
  auto state = replica(1);
  state.sql->semi_sync.source_enabled = true;
  state.sql->semi_sync.source_active = true;
  hear(state, kStart);
  EXPECT_TRUE(only(kStart)->line->report.server->semi_sync.source_enabled);
  state.sequence = 2;
  state.sql->semi_sync.source_active = false;
  hear(state, kStart);
  EXPECT_FALSE(only(kStart)->line->report.server->semi_sync.source_enabled) << "it fell back: commits wait for nobody";
}

TEST_F(SidecarBookTest, TheDriftThatAcksRestOnIsToldApart) {
  auto state = replica(1);
  state.sql->drift = {"local_infile is ON, not OFF"};
  hear(state, kStart);
  EXPECT_EQ(only(kStart)->line->report.server->ack_drift, "");
  state.sequence = 2;
  state.sql->drift.emplace_back("rpl_semi_sync_source_timeout is 10000, not 1000000000000000");
  hear(state, kStart);
  EXPECT_EQ(only(kStart)->line->report.server->ack_drift, state.sql->drift.back());
}

TEST_F(SidecarBookTest, SilenceIsNotSeeingAcks) {
  hear(replica(1), kStart);
  EXPECT_FALSE(only(kStart + seconds(2))->not_acking_since.has_value());
  EXPECT_EQ(only(kStart + seconds(3))->not_acking_since, kStart);
  auto connecting = replica(2);
  connecting.sql->channel.receiver = wire::Thread::kConnecting;
  hear(connecting, kStart + milliseconds(700));
  EXPECT_EQ(only(kStart + seconds(9))->not_acking_since, kStart + milliseconds(700));
}

TEST_F(SidecarBookTest, WaitingSinceIsTheFirstLineOfThoseThatSayTheCommitsWait) {
  auto primary = replica(1);
  primary.sql->semi_sync.waiting_sessions = 1;
  hear(primary, kStart);
  primary.sequence = 2;
  primary.sql->semi_sync.waiting_sessions = 3;
  hear(primary, kStart + seconds(1));
  EXPECT_EQ(only(kStart + seconds(1))->waiting_since, kStart);
  primary.sequence = 3;
  primary.sql->semi_sync.waiting_sessions = 0;
  hear(primary, kStart + seconds(2));
  EXPECT_FALSE(only(kStart + seconds(2))->waiting_since.has_value());
}

TEST_F(SidecarBookTest, RowsOfALongTransactionAreProgress) {
  hear(replica(1), kStart);
  auto applying = replica(2);
  applying.sql->channel.rows_in_progress = 100;
  hear(applying, kStart + seconds(1));
  EXPECT_EQ(only(kStart + seconds(1))->idle_since, kStart + seconds(1));
  EXPECT_EQ(only(kStart + seconds(1))->unmoved_since, kStart + seconds(1));
}

TEST_F(SidecarBookTest, IdleSinceIsTheLastLineWithProgress) {
  hear(replica(1), kStart);
  hear(replica(2), kStart + seconds(1));
  EXPECT_EQ(only(kStart + seconds(1))->idle_since, kStart);
  auto received = replica(3);
  received.sql->channel.retrieved = "3e11fa47-71ca-11e1-9e33-c80aa9429562:6";
  hear(received, kStart + seconds(2));
  EXPECT_EQ(only(kStart + seconds(2))->idle_since, kStart + seconds(2));
  received.sequence = 4;
  received.sql->semi_sync.replica_active = false;
  hear(received, kStart + seconds(3));
  EXPECT_EQ(only(kStart + seconds(3))->idle_since, kStart + seconds(2));
  EXPECT_EQ(only(kStart + seconds(3))->turned_since, kStart);
  received.sequence = 5;
  received.sql->channel.source_port = wire::kLogPort;
  hear(received, kStart + seconds(4));
  EXPECT_EQ(only(kStart + seconds(4))->turned_since, kStart + seconds(4));
  EXPECT_EQ(only(kStart + seconds(4))->idle_since, kStart + seconds(2));
  received.sequence = 6;
  received.sql->channel.place = "binlog.000002 8000000";  // A part of a long transaction.
  hear(received, kStart + milliseconds(4500));
  EXPECT_EQ(only(kStart + seconds(5))->idle_since, kStart + milliseconds(4500));
  EXPECT_EQ(only(kStart + seconds(5))->unmoved_since, kStart + seconds(2)) << "or the place in another source's log";
  hear(dead(7), kStart + seconds(5));
  EXPECT_FALSE(only(kStart + seconds(5))->idle_since.has_value());
  EXPECT_FALSE(only(kStart + seconds(5))->unmoved_since.has_value());
  EXPECT_FALSE(only(kStart + seconds(5))->turned_since.has_value());
}

TEST_F(SidecarBookTest, WhatAMembersLogsCanSendIsHeard) {
  auto source = dead(1);
  source.servable = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7";
  source.offered_to = "b";
  source.offered = "3e11fa47-71ca-11e1-9e33-c80aa9429562:6-7";
  hear(source, kStart);
  const auto report = only(kStart)->line->report;
  EXPECT_EQ(report.servable.to_string(), source.servable);
  EXPECT_EQ(report.offered_to, ServerUuid("b"));
  EXPECT_EQ(report.offered.to_string(), source.offered);

  auto fetching = replica(2);
  fetching.sql->channel.source_port = wire::kLogPort;
  hear(fetching, kStart + seconds(1));
  EXPECT_TRUE(only(kStart + seconds(1))->line->report.server->channel.from_logs);
  hear(replica(3), kStart + seconds(2));
  EXPECT_FALSE(only(kStart + seconds(2))->line->report.server->channel.from_logs);
}

TEST_F(SidecarBookTest, WhatALiveMembersLogsCanSendMovesWithEveryCommit) {
  hear(replica(1), kStart);
  auto later = replica(2);
  later.servable = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9";
  EXPECT_EQ(hear(later, kStart), News::kProgress);
}

TEST_F(SidecarBookTest, OlderLinesMeanNothing) {
  hear(dead(5), kStart);
  EXPECT_EQ(hear(replica(4), kStart + seconds(1)), News::kNothing);
  EXPECT_TRUE(only(kStart)->down_since.has_value());
}

TEST_F(SidecarBookTest, AnEarlierSidecarIsNotBelievedAgain) {
  hear(replica(7), kStart);
  auto restarted = dead(1);
  restarted.sidecar_id = "b";
  EXPECT_EQ(hear(restarted, kStart + seconds(1)), News::kChange);
  EXPECT_EQ(hear(replica(8), kStart + seconds(1)), News::kNothing);
  EXPECT_TRUE(only(kStart + seconds(1))->down_since.has_value());
}

TEST_F(SidecarBookTest, EachIncarnationKeepsItsNewestLine) {
  hear(dead(1), kStart);
  auto made_again = replica(1);
  made_again.sidecar_id = "b";
  made_again.pod_uid = "pod-2";
  made_again.uuid = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
  hear(made_again, kStart + seconds(5));
  EXPECT_EQ(book_.entries(kShop, kStart + seconds(5)).size(), 2U);
}

TEST_F(SidecarBookTest, TheWatchdogTellsOnceThatAMemberGrewSilent) {
  hear(replica(1), kStart);
  EXPECT_TRUE(book_.grown_silent(kStart + seconds(2)).empty());
  EXPECT_EQ(book_.grown_silent(kStart + milliseconds(2001)).size(), 1U);
  EXPECT_TRUE(book_.grown_silent(kStart + seconds(9)).empty());
  EXPECT_EQ(hear(replica(2), kStart + seconds(10)), News::kChange);
}

TEST_F(SidecarBookTest, ARefusalStandsUntilItIsTakenBackOrOld) {
  EXPECT_EQ(book_.refusal(kShop, "shop-1", kStart), "");
  EXPECT_TRUE(book_.note_refusal(kShop, "shop-1", "401\n", kStart));
  EXPECT_FALSE(book_.note_refusal(kShop, "shop-1", "401", kStart + seconds(1)));
  EXPECT_EQ(book_.refusal(kShop, "shop-1", kStart + seconds(2)), "401");
  EXPECT_EQ(book_.refusal(kShop, "shop-1", kStart + seconds(17)), "");
  EXPECT_TRUE(book_.note_refusal(kShop, "shop-1", "401", kStart + seconds(20)));
  EXPECT_TRUE(book_.note_refusal(kShop, "shop-1", "", kStart + seconds(21)));
  EXPECT_EQ(book_.refusal(kShop, "shop-1", kStart + seconds(21)), "");
}

TEST_F(SidecarBookTest, AnUnreadableGtidSetIsNotHeard) {
  auto broken = replica(1);
  broken.sql->gtid_executed = "nonsense";
  const auto news = book_.hear(kShop, broken, kStart);
  ASSERT_FALSE(news.has_value());
  EXPECT_EQ(news.error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(book_.entries(kShop, kStart).empty());
}

}  // namespace
}  // namespace baton
