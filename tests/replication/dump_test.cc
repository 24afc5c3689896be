#include "sidecar/replication/dump.h"

#include <gtest/gtest.h>

#include <format>
#include <random>

#include "sidecar/replication/artificial_event.h"
#include "tests/replication/memory_logs.h"

namespace baton::replication {
namespace {

using binlog::ChecksumAlgorithm;
using test::event_of;
using test::hex_of;
using test::log_begin;
using test::Script;
using test::text_of;
using namespace std::chrono_literals;

class DumpTest : public testing::Test {
 protected:
  Dump& start(Dump::Terms terms) {
    terms.server_id = 1;
    dump_ = std::make_unique<Dump>(terms, std::make_unique<test::MemoryStream>(script_), now_);
    writer_.restart(1);
    reader_.expect(1);
    return *dump_;
  }
  Dump& start() {
    return start({.heartbeat_period = 1000ms, .heartbeat_v2 = true, .checksum = ChecksumAlgorithm::kCrc32});
  }

  /// Sends what there is, in pieces of about `limit` bytes, and reads it as a receiver does: a message each.
  std::vector<std::string> messages(std::size_t limit = 1 << 20) {
    std::vector<std::string> read;
    for (int calls = 0;; ++calls) {
      EXPECT_LT(calls, 1'000'000) << "no progress";
      OutputBuffer out(limit);
      const auto state = dump_->produce(writer_, out, limit, now_);
      largest_ = std::max(largest_, out.size());
      reader_.feed(out.bytes());
      for (auto message = reader_.next(); message && *message; message = reader_.next()) {
        read.push_back(text_of(**message));
      }
      if (!state) {
        error_ = state.error();
        return read;
      }
      state_ = *state;
      if (*state != Dump::State::kMore) return read;
    }
  }
  static std::string message_of(std::span<const std::byte> event) { return std::string(1, '\0') + text_of(event); }
  static std::string kinds(const std::vector<std::string>& messages) {
    std::string text;
    for (const auto& message : messages) {
      if (!text.empty()) text += ' ';
      text += message.size() > 5 && message[0] == 0 ? std::to_string(static_cast<unsigned char>(message[5])) : "-";
    }
    return text;
  }

  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  Instant now_{};
  std::unique_ptr<Dump> dump_;
  PacketWriter writer_;
  PacketReader reader_{std::size_t{1} << 30};
  Dump::State state_ = Dump::State::kMore;
  std::optional<Error> error_;
  std::size_t largest_ = 0;
};

TEST_F(DumpTest, EachLogIsAnnouncedAndEachEventIsAMessage) {
  const auto first = event_of(33, std::string(42, 'g'));
  const auto second = event_of(16, std::string(8, 'x'));
  script_->add(log_begin("binlog.000007"));
  auto chunk = first;
  chunk.insert(chunk.end(), second.begin(), second.end());
  script_->add(chunk);
  script_->add(log_begin("binlog.000008", false));
  script_->add(event_of(16, "12345678", false));
  script_->add(log_begin("binlog.000009"));
  start();
  const auto read = messages();
  EXPECT_EQ(kinds(read), "4 15 33 16 4 15 16 4 15");
  EXPECT_EQ(read[0], message_of(make_rotate(1, "binlog.000007", 4, ChecksumAlgorithm::kCrc32)));
  EXPECT_EQ(read[2], message_of(first));
  EXPECT_EQ(read[3], message_of(second));
  // A log's announcement has the checksum of the log before it.
  EXPECT_EQ(read[4], message_of(make_rotate(1, "binlog.000008", 4, ChecksumAlgorithm::kCrc32)));
  EXPECT_EQ(read[7], message_of(make_rotate(1, "binlog.000009", 4, ChecksumAlgorithm::kNone)));
  EXPECT_EQ(state_, Dump::State::kWaiting);
  EXPECT_EQ(dump_->log(), "binlog.000009");
}

TEST_F(DumpTest, ThePositionIsTheReceiversOwnSum) {
  const auto format = log_begin("b.1");
  script_->add(format);
  const auto event = event_of(16, "12345678");
  script_->add(event);
  start();
  static_cast<void>(messages());
  EXPECT_EQ(dump_->position(), 4 + format.format_description.size() + event.size());
  // A description without a position does not count.
  auto artificial = log_begin("b.2");
  std::fill_n(artificial.format_description.begin() + 13, 4, std::byte{0});
  script_->add(artificial);
  static_cast<void>(messages());
  EXPECT_EQ(dump_->position(), 4U);
}

TEST_F(DumpTest, EventsPassInPiecesOfAnySize) {
  std::mt19937 random(7);
  std::string all;
  std::vector<std::string> wanted;
  for (int i = 0; i < 60; ++i) {
    const auto event = event_of(30, std::string(random() % 3000, static_cast<char>('a' + i % 26)));
    all += text_of(event);
    wanted.push_back(message_of(event));
  }
  for (const std::size_t limit :
       {std::size_t{1}, std::size_t{5}, std::size_t{100}, std::size_t{4096}, all.size() * 2}) {
    for (const std::size_t piece : {std::size_t{50}, std::size_t{777}, std::size_t{5000}, all.size()}) {
      // A chunk may end within an event, not within its header.
      std::size_t event_begin = 0;
      std::size_t at = 0;
      std::vector<std::size_t> starts;
      for (const auto& message : wanted) {
        starts.push_back(event_begin);
        event_begin += message.size() - 1;
      }
      script_->add(log_begin("b.1"));
      while (at < all.size()) {
        std::size_t end = std::min(at + piece, all.size());
        for (const std::size_t start : starts) {
          if (end > start && end < start + 19) end = std::min(start + 19, all.size());
        }
        script_->add(test::bytes_of(all.substr(at, end - at)));
        at = end;
      }
      reader_ = PacketReader(1 << 20);
      largest_ = 0;
      start();
      auto read = messages(limit);
      read.erase(read.begin(), read.begin() + 2);
      EXPECT_EQ(read, wanted) << limit << " " << piece;
      if (limit >= 4096) {
        EXPECT_LE(largest_, limit + kPacketHeaderLength + 1);
      }
    }
  }
}

TEST_F(DumpTest, EventsOf16MiBGoOnInMorePackets) {
  for (const std::size_t length : {kFullPacketLength - 2, kFullPacketLength - 1, kFullPacketLength,
                                   2 * kFullPacketLength - 1, 2 * kFullPacketLength + 100}) {
    const auto event = event_of(30, std::string(length - 19, 'r'), false);
    ASSERT_EQ(event.size(), length);
    script_->add(log_begin("b.1", false));
    script_->add(event);
    script_->add(event_of(16, "12345678", false));
    reader_ = PacketReader(std::size_t{1} << 30);
    start();
    const auto read = messages();
    EXPECT_EQ(kinds(read), "4 15 30 16") << length;
    EXPECT_TRUE(read[2] == message_of(event)) << length;
    EXPECT_LE(largest_, (1U << 20) + 2 * kPacketHeaderLength) << "a large event is not kept whole";
  }
}

TEST_F(DumpTest, HeartbeatsComeInSilenceOnly) {
  script_->add(log_begin("b.1"));
  start();
  EXPECT_EQ(messages().size(), 2U);
  EXPECT_EQ(dump_->next_heartbeat(), now_ + 1000ms);
  now_ += 999ms;
  EXPECT_TRUE(messages().empty());
  script_->add(event_of(16, "12345678"));
  EXPECT_EQ(messages().size(), 1U);
  now_ += 999ms;
  EXPECT_TRUE(messages().empty()) << "an event is as good as a heartbeat";
  now_ += 1ms;
  const auto beat = messages();
  ASSERT_EQ(beat.size(), 1U);
  EXPECT_EQ(beat[0], message_of(make_heartbeat_v2(1, "b.1", dump_->position(), ChecksumAlgorithm::kCrc32)));
  EXPECT_EQ(dump_->next_heartbeat(), now_ + 1000ms);
}

TEST_F(DumpTest, HeartbeatsOfTheOldForm) {
  script_->add(log_begin("b.1", false));
  start({.heartbeat_period = 10ms, .heartbeat_v2 = false, .checksum = ChecksumAlgorithm::kNone});
  static_cast<void>(messages());
  now_ += 10ms;
  const auto beat = messages();
  ASSERT_EQ(beat.size(), 1U);
  EXPECT_EQ(beat[0], message_of(make_heartbeat(1, "b.1", dump_->position(), ChecksumAlgorithm::kNone)));
}

TEST_F(DumpTest, AHeartbeatBeforeAnyLogIsAnnounced) {
  start();
  now_ += 1000ms;
  EXPECT_EQ(kinds(messages()), "4 41");
}

TEST_F(DumpTest, AStreamThatOnlySkipsStillBeats) {
  script_->add(log_begin("b.1"));
  start();
  static_cast<void>(messages());
  now_ += 1500ms;
  script_->add(std::vector<std::byte>{});
  OutputBuffer out(100);
  const auto state = dump_->produce(writer_, out, 1 << 20, now_);
  ASSERT_TRUE(state);
  EXPECT_EQ(*state, Dump::State::kMore);
  EXPECT_FALSE(out.empty());
}

TEST_F(DumpTest, NoHeartbeatWithinAnEventOrWithoutAPeriod) {
  const auto event = event_of(30, std::string(100, 'r'));
  script_->add(log_begin("b.1"));
  script_->add(std::vector<std::byte>(event.begin(), event.begin() + 50));
  script_->add(std::vector<std::byte>{});
  start();
  OutputBuffer out(100);
  ASSERT_TRUE(dump_->produce(writer_, out, 1 << 20, now_));
  EXPECT_TRUE(dump_->inside_event());
  now_ += 5000ms;
  out.clear();
  script_->add(std::vector<std::byte>{});
  ASSERT_TRUE(dump_->produce(writer_, out, 1 << 20, now_));
  EXPECT_TRUE(out.empty());

  start({.heartbeat_period = std::nullopt, .heartbeat_v2 = true, .checksum = ChecksumAlgorithm::kCrc32});
  EXPECT_EQ(dump_->next_heartbeat(), Instant::max());
}

TEST_F(DumpTest, ANonBlockingDumpEnds) {
  script_->add(log_begin("b.1"));
  start({.checksum = ChecksumAlgorithm::kCrc32, .non_blocking = true});
  const auto read = messages();
  EXPECT_EQ(state_, Dump::State::kFinished);
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(hex_of(test::bytes_of(read[2])), "fe 00 00 02 00");
}

TEST_F(DumpTest, ReceiversWithoutChecksumsAreNotSentAny) {
  script_->add(log_begin("b.1"));
  start({.checksum = std::nullopt});
  EXPECT_TRUE(messages().empty());
  ASSERT_TRUE(error_);
  EXPECT_EQ(error_->kind, ErrorKind::kUnsafe);
}

TEST_F(DumpTest, WhatHasNoPlaceAmongTransactionsIsNotSent) {
  for (const int type : {3, 4, 15, 27, 34, 35, 41}) {
    script_->add(log_begin("b.1"));
    script_->add(event_of(type, "12345678"));
    script_->steps.back().chunk.resize(27 + 4);
    reader_ = PacketReader(1 << 20);
    error_.reset();
    start();
    EXPECT_EQ(messages().size(), 2U) << type;
    ASSERT_TRUE(error_) << type;
    EXPECT_EQ(error_->kind, type == 34 ? ErrorKind::kUnsafe : ErrorKind::kCorrupt);
  }
}

TEST_F(DumpTest, BrokenStreamsAreFound) {
  const auto event = event_of(30, std::string(100, 'r'));
  const auto part = [&](std::size_t count) {
    return std::vector<std::byte>(event.begin(), event.begin() + static_cast<std::ptrdiff_t>(count));
  };
  const auto expect_corrupt = [&](const char* what) {
    reader_ = PacketReader(1 << 20);
    error_.reset();
    start();
    static_cast<void>(messages());
    ASSERT_TRUE(error_) << what;
    EXPECT_EQ(error_->kind, ErrorKind::kCorrupt) << what;
    script_->steps.clear();
  };
  script_->add(log_begin("b.1"));
  script_->add(part(18));
  expect_corrupt("a chunk that ends within a header");
  script_->add(log_begin("b.1"));
  script_->add(part(60));
  script_->add(log_begin("b.2"));
  expect_corrupt("another log within an event");
  script_->add(log_begin("b.1"));
  script_->add(part(60));
  expect_corrupt("the end within an event");
  auto short_event = event;
  short_event[9] = std::byte{18};
  short_event[10] = std::byte{0};
  script_->add(log_begin("b.1"));
  script_->add(short_event);
  expect_corrupt("an event shorter than its header");
  auto begin = log_begin("b.1");
  begin.format_description.pop_back();
  script_->add(begin);
  expect_corrupt("a description of another length");
}

}  // namespace
}  // namespace baton::replication
