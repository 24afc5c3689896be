#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>

#include <algorithm>
#include <cstdlib>
#include <format>
#include <fstream>
#include <future>

#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/index_file.h"
#include "sidecar/binlog/kept_logs.h"
#include "tests/sidecar/pod.h"

/// What a member's sidecar knows of its logs and sends of them, with whole members: real gates, sidecars and mysqlds.
namespace baton::test {
namespace {

using std::chrono::milliseconds;
using wire::Directory;
using wire::MemberState;
using wire::Process;

GtidSet set_of(const std::string& text) { return GtidSet::parse(text).value(); }

class PodLogs : public testing::Test {
 protected:
  void SetUp() override {
    start(primary_);
    primary_.become_primary();
    ASSERT_FALSE(HasFailure());
    ASSERT_TRUE(primary_.sql().run({"CREATE DATABASE app", "CREATE TABLE app.t (a INT PRIMARY KEY, b LONGTEXT)"}));
  }

  /// Clones the primary and follows it. Members of one cluster trust one CA.
  void join(Pod& replica) {
    replica.share_authority(primary_);
    start(replica);
    ASSERT_TRUE(replica.wait_state(is_down));
    primary_.must(wire::AllowClone{.allowed = true});
    replica.must(wire::CloneFrom{.host = "127.0.0.1", .port = primary_.mysql_port()});
    ASSERT_TRUE(replica.wait_state([](const auto& s) { return s.directory == Directory::kCloned && is_running(s); }));
    primary_.must(wire::EnsureReplicationAccount{.uuid = replica.state().uuid});
    follow_primary(replica);
    wait_received(replica, executed(primary_));
  }
  [[nodiscard]] wire::Follow primary_as_source() const {
    return {.host = "127.0.0.1", .port = primary_.mysql_port(), .source_uuid = primary_.state().uuid};
  }
  void follow_primary(Pod& replica) { replica.must(primary_as_source()); }
  /// Points the receiver at another member's sidecar.
  static void fetch(Pod& replica, Pod& source) {
    replica.must(wire::Follow{.host = "127.0.0.1", .port = source.log_port(), .source_uuid = source.state().uuid});
  }
  static GtidSet executed(Pod& pod) { return set_of(pod.sql().value("SELECT @@gtid_executed").value_or("?")); }
  static void wait_executed(Pod& pod, const GtidSet& set) {
    EXPECT_TRUE(pod.wait_state([&](const auto& s) { return s.sql && set_of(s.sql->gtid_executed).contains(set); }))
        << pod.state().sql->channel.receiver_error;
  }
  static void wait_received(Pod& pod, const GtidSet& set) {
    EXPECT_TRUE(pod.wait_state([&](const auto& s) {
      return s.sql && set_of(s.sql->channel.retrieved).united(set_of(s.sql->gtid_executed)).contains(set);
    }));
  }
  static std::string received(Pod& pod) {
    return pod.sql()
        .value("SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status")
        .value_or("?");
  }
  /// Bytes of its relay log behind the applier's place.
  static std::int64_t bytes_unapplied(Pod& pod) {
    const auto rows =
        pod.sql().query("SELECT CONCAT(@@datadir, Relay_log_name), Relay_log_pos FROM mysql.slave_relay_log_info");
    const auto& place = rows.value().at(0);
    return static_cast<std::int64_t>(std::filesystem::file_size(place.at(0).value())) - std::stoll(place.at(1).value());
  }
  static std::string rows(Pod& pod) {
    return pod.sql()
        .value("SELECT CONCAT(COUNT(*), ' rows, ', COALESCE(SUM(CRC32(CONCAT(a, b))), 0)) FROM app.t")
        .value_or("?");
  }
  static void wait_receiver_error(Pod& pod, const std::string& text) {
    EXPECT_TRUE(pod.wait_state([&](const auto& s) { return s.sql && s.sql->channel.receiver_error.contains(text); }));
  }
  /// The folder of the second names is out of the way, and a file in its place.
  static Result<wire::OrderResult> give_while_nothing_can_be_kept(Pod& pod, const wire::Command& command) {
    const auto kept = pod.folder() / "volume" / "baton" / "kept" / "relay";
    const auto other = pod.folder() / "volume" / "other";
    std::ofstream(other) << "no folder";
    const auto exchange = [&] {
      EXPECT_EQ(::renameat2(AT_FDCWD, kept.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE), 0);
    };
    exchange();
    auto answer = pod.give(command);
    exchange();
    std::filesystem::remove(other);
    return answer;
  }
  /// How many dumps its binlog server has begun.
  static std::ptrdiff_t dumps_of(const Pod& pod) {
    std::ifstream log(pod.folder() / "sidecar.log");
    std::ptrdiff_t count = 0;
    for (std::string line; std::getline(log, line);) count += line.contains("receiver asks for transactions") ? 1 : 0;
    return count;
  }
  std::string offer_error(const std::string& replica, const std::string& set) {
    return primary_.give(wire::OfferLogs{.replica = replica, .set = set})->error_kind;
  }

  Pod primary_{"shop-0"};
};

/// The tail of a primary that was killed while its client waited for an ack: with it or without it, as offered.
TEST_F(PodLogs, ADeadPrimarysTailIsSentAsOffered) {
  Pod replica("shop-1");
  ASSERT_NO_FATAL_FAILURE(join(replica));
  const std::string uuid = replica.state().uuid;
  replica.must(wire::StopReceiver{});
  ASSERT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (1, REPEAT('x', 3000000))", "FLUSH BINARY LOGS",
                                  "INSERT INTO app.t VALUES (2, 'two')"}));
  const GtidSet without_tail = executed(primary_);
  primary_.must(wire::SetAckCount{.wait_for_count = 1});
  auto answer = std::async(std::launch::async,
                           [this] { return primary_.sql().query("INSERT INTO app.t VALUES (3, 'tail')").has_value(); });
  ASSERT_TRUE(primary_.wait_state([](const auto& s) { return s.sql && s.sql->semi_sync.waiting_sessions == 1; }));
  // The answer to this one covers what was written last.
  EXPECT_EQ(set_of(primary_.must(wire::StopReceiver{}).servable).minus(without_tail), GtidSet())
      << "what is written and not executed may not be on disk";
  ::kill(primary_.mysqld_pid(), SIGKILL);
  EXPECT_FALSE(answer.get());
  ASSERT_TRUE(primary_.wait_state(is_down));
  const auto read = primary_.wait_state(logs_read);
  ASSERT_TRUE(read) << primary_.state().logs_error;
  RecordProperty("logs_read_milliseconds", static_cast<int>(read->count()));
  EXPECT_LT(*read, milliseconds(300)) << "the index was warm";
  const GtidSet logs = set_of(primary_.state().logs_gtid_set);
  EXPECT_EQ(logs.minus(without_tail).size(), 1U);
  EXPECT_EQ(set_of(primary_.state().servable).minus(without_tail), logs.minus(without_tail));

  // Nothing is offered, or to somebody else: no access, and a receiver goes on trying.
  fetch(replica, primary_);
  wait_receiver_error(replica, "Access denied");
  EXPECT_EQ(offer_error("nobody", ""), "Terminal");
  EXPECT_EQ(offer_error(uuid, "what"), "Corrupt");
  const std::string another = primary_.state().uuid;
  EXPECT_EQ(primary_.must(wire::OfferLogs{.replica = another, .set = logs.to_string()}).offered_to, another);
  wait_receiver_error(replica, "Access denied");
  EXPECT_TRUE(executed(replica).intersected(logs) == executed(replica)) << "nothing came";
  EXPECT_EQ(rows(replica), "0 rows, 0");

  const auto offered = primary_.must(wire::OfferLogs{.replica = uuid, .set = without_tail.to_string()});
  EXPECT_EQ(offered.offered_to, uuid);
  EXPECT_EQ(set_of(offered.offered), without_tail);
  wait_executed(replica, without_tail);
  EXPECT_FALSE(executed(replica).contains(logs)) << "the tail was not offered";
  primary_.must(wire::OfferLogs{.replica = uuid, .set = logs.to_string()});
  wait_executed(replica, logs);
  const std::string fetched = rows(replica);
  EXPECT_EQ(fetched.substr(0, 2), "3 ");
  EXPECT_TRUE(replica.wait_state([](const auto& s) { return s.sql->channel.receiver == wire::Thread::kRunning; }));
  // The same order again changes nothing; and who answers there must be the one that is meant.
  const auto dumps = dumps_of(primary_);
  fetch(replica, primary_);
  EXPECT_EQ(dumps_of(primary_), dumps) << "the receiver stays as it is";
  const wire::Follow wrong{.host = "127.0.0.1", .port = primary_.log_port(), .source_uuid = "another"};
  const auto refused = replica.give(wrong);
  EXPECT_EQ(refused->error_kind, "Unsafe") << refused->error;
  EXPECT_EQ(refused->state.sql->channel.receiver, wire::Thread::kStopped);
  fetch(replica, primary_);
  EXPECT_TRUE(replica.wait_state([](const auto& s) { return s.sql->channel.receiver == wire::Thread::kRunning; }));
  // The replica says that it is connected before its request for a dump has arrived.
  const auto tells = [&](const std::string& series) {
    return primary_.wait_state([&](const auto&) { return primary_.get_plain("/metrics")->body.contains(series); });
  };
  EXPECT_TRUE(tells("baton_log_receivers{member=\"shop-0\"} 1"));
  EXPECT_TRUE(tells("baton_log_sent_transactions_total{member=\"shop-0\"} 3"));
  EXPECT_EQ(primary_.must(wire::OfferLogs{}).offered_to, "");
  wait_receiver_error(replica, "Access denied");

  primary_.must(wire::Permit{});
  ASSERT_TRUE(primary_.wait_state(is_running));
  EXPECT_EQ(rows(primary_), fetched);
  EXPECT_EQ(executed(primary_), logs) << "mysqld's recovery keeps what was read";
}

/// A sidecar that starts beside a dead mysqld reads and serves all the same, and a receiver that comes before the offer
/// waits for it.
TEST_F(PodLogs, AFreshSidecarReadsAndServesAndAReceiverMayComeFirst) {
  Pod replica("shop-1");
  ASSERT_NO_FATAL_FAILURE(join(replica));
  replica.must(wire::StopReceiver{});
  ASSERT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (1, 'one')"}));
  const GtidSet all = executed(primary_);
  primary_.must(wire::OfferLogs{.replica = replica.state().uuid, .set = all.to_string()});
  primary_.must(wire::Fence{});
  ASSERT_TRUE(primary_.wait_state(logs_read));
  primary_.kill_sidecar();
  primary_.start_sidecar();
  ASSERT_TRUE(primary_.wait_state(logs_read));
  EXPECT_EQ(set_of(primary_.state().logs_gtid_set), all);
  EXPECT_TRUE(all.contains(set_of(primary_.state().servable)));
  EXPECT_EQ(primary_.state().offered_to, "") << "an offer is not kept";

  auto late = std::async(std::launch::async, [&] {
    // A second after the receiver came.
    EXPECT_TRUE(
        replica.wait_state([&](const auto& s) { return s.sql && s.sql->channel.source_port == primary_.log_port(); }));
    const SystemClock clock;
    const Instant due = clock.now() + milliseconds(1000);
    EXPECT_TRUE(primary_.wait_state([&](const auto&) { return clock.now() >= due; }));
    return primary_.must(wire::OfferLogs{.replica = replica.state().uuid, .set = all.to_string()}).offered_to;
  });
  fetch(replica, primary_);
  wait_executed(replica, all);
  EXPECT_EQ(late.get(), replica.state().uuid);
  EXPECT_EQ(replica.state().sql->channel.receiver_error, "") << "it was not turned away";
  EXPECT_EQ(rows(replica).substr(0, 2), "1 ");
}

/// What a replica has received and not applied can be fetched from its relay logs, whether its mysqld runs or not.
TEST_F(PodLogs, RelayLogsOfALivingAndOfADeadReplicaAreSent) {
  Pod holder("shop-1");
  Pod other("shop-2");
  ASSERT_NO_FATAL_FAILURE(join(holder));
  ASSERT_NO_FATAL_FAILURE(join(other));
  other.must(wire::StopReceiver{});
  ASSERT_TRUE(holder.sql().run({"STOP REPLICA SQL_THREAD"}));
  ASSERT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (1, 'one')"}));
  const GtidSet first = executed(primary_);
  wait_received(holder, first);
  const auto stopped = holder.must(wire::StopReceiver{});
  EXPECT_TRUE(set_of(stopped.servable).contains(first.minus(executed(holder))))
      << "the answer to StopReceiver covers what was received last: " << stopped.servable;
  EXPECT_FALSE(executed(holder).contains(first));
  holder.must(wire::OfferLogs{.replica = other.state().uuid, .set = first.to_string()});
  fetch(other, holder);
  wait_executed(other, first);
  EXPECT_EQ(rows(other), rows(primary_));

  ASSERT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (2, 'two')"}));
  const GtidSet second = executed(primary_);
  // Without its applier a receiver cannot be repointed; it follows where it did.
  ASSERT_TRUE(holder.sql().run({"START REPLICA IO_THREAD"}));
  wait_received(holder, second);
  holder.must(wire::Fence{});
  ASSERT_TRUE(holder.wait_state(logs_read)) << holder.state().logs_error;
  EXPECT_TRUE(set_of(holder.state().logs_gtid_set).contains(second)) << "relay logs count";
  EXPECT_TRUE(set_of(holder.state().servable).contains(second.minus(first)));
  primary_.must(wire::Fence{});
  holder.must(wire::OfferLogs{.replica = other.state().uuid, .set = second.to_string()});
  wait_executed(other, second);
  EXPECT_EQ(rows(other).substr(0, 2), "2 ");
}

/// For people who have a volume and no sidecar.
TEST_F(PodLogs, TheToolServesADeadServersFolder) {
  ASSERT_TRUE(primary_.sql().run(
      {"INSERT INTO app.t VALUES (1, 'one')", "FLUSH BINARY LOGS", "INSERT INTO app.t VALUES (2, 'two')"}));
  primary_.must(wire::Fence{});
  const auto folder = primary_.folder();
  const auto secrets = folder / "secrets";
  primary_.kill_sidecar();  // Its port is free now.
  const std::string port = std::to_string(primary_.log_port());
  const Program tool(
      {BATON_BINLOG_TOOL, "serve", folder / "volume" / "data", "--port", port, "--password-file",
       secrets / "replication-password", "--certificate", secrets / "shop-0.crt", "--key", secrets / "shop-0.key"},
      folder / "tool.log");
  const std::string command = std::format(
      "MYSQL_PWD=secret-replication-password mysqlbinlog --no-defaults --read-from-remote-source=BINLOG-DUMP-GTIDS "
      "--to-last-log --host=127.0.0.1 --port={} --user=baton --ssl-mode=REQUIRED --verify-binlog-checksum -v "
      "binlog.000001 >{} 2>&1",
      port, (folder / "fetched").string());
  std::string fetched;
  for (int attempt = 0; attempt < 200 && !fetched.contains("@2='two'"); ++attempt) {  // Until the tool listens.
    static_cast<void>(std::system(command.c_str()));
    std::ifstream file(folder / "fetched");
    fetched.assign(std::istreambuf_iterator<char>(file), {});
  }
  EXPECT_TRUE(fetched.contains("@2='one'") && fetched.contains("@2='two'")) << fetched;
}

/// The logs of a real server with bytes that a disk lost: what they prove, and what they still send.
TEST_F(PodLogs, DamageIsToldWhereItHidesSomething) {
  ASSERT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (1, 'one')", "FLUSH BINARY LOGS",
                                  "INSERT INTO app.t VALUES (2, 'two')", "INSERT INTO app.t VALUES (3, 'three')"}));
  const GtidSet all = executed(primary_);
  primary_.must(wire::Fence{});
  ASSERT_TRUE(primary_.wait_state(logs_read));
  EXPECT_EQ(set_of(primary_.state().logs_gtid_set), all);
  const auto data = primary_.folder() / "volume" / "data";
  const auto files = binlog::read_index(data / "binlog.index", data).value();
  ASSERT_GE(files.size(), 2U);
  const auto put_zeros = [](const std::filesystem::path& path, std::size_t count) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path) / 2));
    file << std::string(count, '\0');
  };
  // An old file: the newest one tells what was in it. So many zeros that the headers of events are among them.
  put_zeros(files[files.size() - 2], 400);
  primary_.kill_sidecar();
  primary_.start_sidecar();
  ASSERT_TRUE(primary_.wait_state(logs_read));
  EXPECT_EQ(set_of(primary_.state().logs_gtid_set), all);
  EXPECT_FALSE(set_of(primary_.state().servable).contains(all)) << "but that is all";
  // The newest: nobody can tell what was in it.
  put_zeros(files.back(), 64);
  primary_.kill_sidecar();
  primary_.start_sidecar();
  ASSERT_TRUE(primary_.wait_state([](const auto& s) { return is_down(s) && !s.logs_error.empty(); }));
  EXPECT_FALSE(primary_.state().logs_readable);
  EXPECT_TRUE(primary_.state().logs_error.contains(files.back().filename().string() + " at offset "))
      << primary_.state().logs_error;
}

/// Of a living server too: when it has died it is too late to decrypt anything.
TEST_F(PodLogs, AnEncryptedFileIsToldWhileMysqldLives) {
  ASSERT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (1, 'one')", "FLUSH BINARY LOGS"}));
  EXPECT_EQ(primary_.state().unreadable_log, "");
  const auto data = primary_.folder() / "volume" / "data";
  const auto files = binlog::read_index(data / "binlog.index", data).value();
  const auto& closed = files[files.size() - 2];
  // Its first byte says so (sql/rpl_log_encryption.h); mysqld reads a closed file only for a receiver.
  std::fstream(closed, std::ios::binary | std::ios::in | std::ios::out).put('\xfd');
  primary_.kill_sidecar();
  primary_.start_sidecar();
  ASSERT_TRUE(primary_.wait_state([](const auto& s) { return s.sql && !s.unreadable_log.empty(); }));
  EXPECT_TRUE(primary_.state().unreadable_log.contains(closed.filename().string() + " is encrypted"))
      << primary_.state().unreadable_log;
  EXPECT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (2, 'two')"})) << "it lives";
}

/// Binary logs are kept while they may still be wanted: not from an open primary, but while it offers them.
TEST_F(PodLogs, BinaryLogsThatArePurgedDuringAnOfferAreStillSent) {
  Pod replica("shop-1");
  ASSERT_NO_FATAL_FAILURE(join(replica));
  replica.must(wire::StopReceiver{});
  const GtidSet before = executed(primary_);
  ASSERT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (1, 'one')", "INSERT INTO app.t VALUES (2, 'two')"}));
  const GtidSet all = executed(primary_);
  const GtidSet fresh = all.minus(before);
  const auto data = primary_.folder() / "volume" / "data";
  const auto kept = [&] {
    std::error_code none;
    return std::distance(
        std::filesystem::directory_iterator(primary_.folder() / "volume" / "baton" / "kept" / "binlog", none), {});
  };
  const auto sends = [](const GtidSet& set) {
    return [set](const MemberState& state) { return set_of(state.servable).contains(set); };
  };
  ASSERT_TRUE(primary_.wait_state([&](const auto& s) { return kept() == 0 && sends(fresh)(s); })) << kept();

  primary_.must(wire::OfferLogs{.replica = replica.state().uuid, .set = all.to_string()});
  ASSERT_TRUE(primary_.wait_state([&](const auto&) { return kept() > 0; }));
  ASSERT_TRUE(primary_.sql().run({"FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 SECOND",
                                  "INSERT INTO app.t VALUES (3, 'x')"}));
  ASSERT_EQ(binlog::read_index(data / "binlog.index", data).value().size(), 1U);
  // The row that was written last is seen by a look that was after the purge.
  ASSERT_TRUE(primary_.wait_state(sends(executed(primary_).minus(all))));
  EXPECT_TRUE(sends(fresh)(primary_.state())) << primary_.state().servable;
  EXPECT_GT(kept(), 0);
  fetch(replica, primary_);
  wait_executed(replica, all);
  EXPECT_EQ(rows(replica).substr(0, 2), "2 ");

  primary_.must(wire::OfferLogs{});
  EXPECT_TRUE(primary_.wait_state([&](const auto& s) { return kept() == 0 && !sends(fresh)(s); })) << kept();
}

/// What a person or mysqld deletes of the relay logs cannot be the last copy.
TEST_F(PodLogs, RelayLogsThatAPersonResetsAreStillSent) {
  Pod replica("shop-1");
  ASSERT_NO_FATAL_FAILURE(join(replica));
  const GtidSet before = executed(primary_);
  ASSERT_TRUE(replica.sql().run({"STOP REPLICA SQL_THREAD"}));
  ASSERT_TRUE(primary_.sql().run({"INSERT INTO app.t VALUES (1, 'one')", "INSERT INTO app.t VALUES (2, 'two')"}));
  const GtidSet all = executed(primary_);
  const GtidSet received = all.minus(before);
  wait_received(replica, all);
  ASSERT_TRUE(replica.wait_state([&](const auto& s) { return set_of(s.servable).contains(received); }));
  ASSERT_TRUE(replica.sql().run({"STOP REPLICA", "RESET REPLICA ALL"}));
  ASSERT_TRUE(replica.wait_state([](const auto& s) { return s.sql && s.sql->channel.source_host.empty(); }));
  EXPECT_FALSE(executed(replica).contains(all));
  EXPECT_TRUE(set_of(replica.state().servable).contains(received)) << replica.state().servable;
  replica.must(wire::Fence{});
  ASSERT_TRUE(replica.wait_state(logs_read));
  EXPECT_EQ(set_of(replica.state().logs_gtid_set), all);
  replica.must(wire::Permit{});
  ASSERT_TRUE(replica.wait_state([](const auto& s) { return is_running(s) && s.sql; }));
  follow_primary(replica);
  wait_executed(replica, all);
  // All is in its binary log now: what mysqld lists is kept, and nothing else.
  const auto volume = replica.folder() / "volume";
  const auto kept = [&](const char* kind) { return binlog::kept_logs(volume / "baton" / "kept" / kind).value(); };
  EXPECT_TRUE(replica.wait_state([&](const auto&) {
    const auto listed = binlog::read_index(volume / "data" / "relay.index", volume / "data");
    return listed && kept("binlog").empty() && kept("relay").size() == listed->size();
  })) << kept("binlog").size()
      << " and " << kept("relay").size();
}

/// A loss of power: the table that says where the applier stands was synced, the relay log was not.
TEST_F(PodLogs, AnApplierBehindTheEndOfItsRelayLogBeginsAnew) {
  Pod replica("shop-1");
  ASSERT_NO_FATAL_FAILURE(join(replica));
  // One that stands exactly at the end has merely done its work: its channel stays as it is.
  ASSERT_TRUE(primary_.sql().run({"REPLACE INTO app.t VALUES (1, 'one')"}));
  wait_executed(replica, executed(primary_));
  ASSERT_TRUE(replica.sql().run({"STOP REPLICA"}));
  ASSERT_EQ(bytes_unapplied(replica), 0);
  const std::string before = received(replica);
  EXPECT_NE(before, "");
  follow_primary(replica);
  EXPECT_EQ(received(replica), before);
  for (const bool is_gone : {false, true}) {
    ASSERT_TRUE(primary_.sql().run({"REPLACE INTO app.t VALUES (1, REPEAT('x', 20000))"}));
    wait_executed(replica, executed(primary_));
    ASSERT_TRUE(replica.sql().run({"STOP REPLICA SQL_THREAD"}));
    ASSERT_TRUE(primary_.sql().run({"REPLACE INTO app.t VALUES (2, 'two')"}));
    wait_received(replica, executed(primary_));
    replica.must(wire::Fence{});
    ASSERT_TRUE(replica.wait_state(logs_read));
    const auto data = replica.folder() / "volume" / "data";
    for (const auto& file : binlog::read_index(data / "relay.index", data).value()) {
      if (is_gone) {
        std::filesystem::remove(file);
      } else {
        std::filesystem::resize_file(file, std::min<std::uintmax_t>(std::filesystem::file_size(file), 300));
      }
    }
    replica.must(wire::Permit{});
    ASSERT_TRUE(replica.wait_state([](const auto& s) { return is_running(s) && s.sql; }));
    if (!is_gone) {
      ASSERT_TRUE(replica.sql().run({"START REPLICA IO_THREAD"}));
      ASSERT_TRUE(
          replica.wait_state([](const auto& s) { return s.sql && s.sql->channel.receiver == wire::Thread::kRunning; }));
      const auto refused = give_while_nothing_can_be_kept(replica, primary_as_source());
      EXPECT_EQ(refused->error_kind, "Retry") << "a relay log that is there would lose its only name";
      EXPECT_EQ(refused->state.sql->channel.source_host, "127.0.0.1");
      EXPECT_EQ(refused->state.sql->channel.receiver, wire::Thread::kStopped)
          << "what it received between the keeping and the reset would be lost";
    }
    follow_primary(replica);
    wait_executed(replica, executed(primary_));
    EXPECT_EQ(replica.state().sql->channel.applier_error, "");
    EXPECT_EQ(rows(replica), rows(primary_));
  }
}

}  // namespace
}  // namespace baton::test
