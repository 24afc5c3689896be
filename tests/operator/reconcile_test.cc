#include "operator/reconcile/reconcile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "tests/operator/manual_clock.h"
#include "tests/operator/records.h"
#include "tests/operator/shop.h"

namespace baton::reconcile {
namespace {

using std::chrono::seconds;
using test::kShop;

std::string uuid_of(int ordinal) { return std::string(kUuid0).replace(0, 1, std::to_string(ordinal)); }
std::string pod_uid_of(int ordinal) { return std::format("pod-{}", ordinal); }

Object cluster_object(const std::string& version, Json status = Json::object()) {
  return {{"apiVersion", "mysql.baton.dev/v1alpha1"},
          {"kind", "MySQLReplicationCluster"},
          {"metadata",
           {{"name", "shop"},
            {"namespace", "default"},
            {"uid", "cr-uid"},
            {"generation", 1},
            {"resourceVersion", version}}},
          {"spec", {{"image", "mysql:8.4"}, {"replicas", 1}}},
          {"status", std::move(status)}};
}

/// An API server with one resource: versions, conflicts, outages.
class FakeServer final : public ClusterPort {
 public:
  Result<Object> read(const Context&, const ClusterKey&) override {
    if (away) return fail(ErrorKind::kRetry, "no connection");
    return stored;
  }
  Result<Object> write_status(const Context&, const Object& cluster) override {
    if (away) return fail(ErrorKind::kRetry, "no connection");
    const bool outdated =
        kube::metadata_text(cluster, "resourceVersion") != kube::metadata_text(stored, "resourceVersion");
    if (outdated || races_to_lose-- > 0) {
      ++conflicts;
      return fail(ErrorKind::kConflict, "the object has been modified");
    }
    stored = cluster;
    stored["metadata"]["resourceVersion"] = std::to_string(++version);
    stored["status"].erase(pruned);
    ++writes;
    if (after_write) after_write();
    return stored;
  }
  Result<Object> remove_annotation(const Context&, const Object& cluster, std::string_view name) override {
    if (away) return fail(ErrorKind::kRetry, "no connection");
    stored = cluster;
    stored["metadata"]["annotations"].erase(std::string(name));
    stored["metadata"]["resourceVersion"] = std::to_string(++version);
    return stored;
  }
  Result<void> move_endpoint(const Context&, const ClusterKey&, const std::string&, Epoch) override { return {}; }
  Result<void> label_role(const Context&, const ClusterKey&, const std::string&, const PodUid&,
                          const std::string&) override {
    return {};
  }
  /// Somebody else writes.
  void write_behind(const Json& status) {
    stored["status"] = status;
    stored["metadata"]["resourceVersion"] = std::to_string(++version);
  }

  Object stored;
  int version = 100;
  int writes = 0;
  int conflicts = 0;
  bool away = false;
  int races_to_lose = 0;
  std::string pruned;  ///< A field of the status that the server's schema does not have.
  std::function<void()> after_write;
};

class FakeLease final : public LeasePort {
 public:
  [[nodiscard]] bool held() const override { return is_held; }
  [[nodiscard]] std::int64_t term() const override { return current; }
  bool is_held = true;
  std::int64_t current = 1;
};

class FakeLinks final : public LinksPort {
 public:
  void want(const ClusterKey&, const std::vector<SidecarAddress>& members) override { wanted = members; }
  std::vector<SidecarAddress> wanted;
};

class FakeSteps final : public StepsPort {
 public:
  void submit(const ClusterKey&, const Plan& plan) override { plans.push_back(plan); }
  void forget(const ClusterKey&) override { forgotten = true; }
  std::vector<Plan> plans;
  bool forgotten = false;
};

class FakeObjects final : public ObjectsPort {
 public:
  void refresh_credentials(const Context& context, const api::Cluster&) override {
    credentials_deadline = context.deadline;
    if (while_refreshing) while_refreshing();
  }
  std::vector<engine::Finding> bring(const Context&, const api::Cluster&, int members, bool services_too) override {
    ++times_brought;
    members_brought = members;
    services_brought = services_too;
    return {};
  }
  Result<int> volumes(const Context&, const api::Cluster&) override {
    ++volumes_asked;
    return volumes_there;
  }
  Result<Object> set_finalizer(const Context&, const Object& cluster, bool present) override {
    finalizer = present;
    return cluster;
  }
  void forget(const ClusterKey&) override {}
  std::function<void()> while_refreshing;
  Instant credentials_deadline;
  bool finalizer = false;
  int volumes_there = 0;
  int volumes_asked = 0;
  int times_brought = 0;
  int members_brought = 0;
  bool services_brought = false;
};

class FakeEvents final : public EventPort {
 public:
  void tell(const ClusterKey&, bool warning, std::string_view reason, std::string_view) override {
    reasons.emplace_back(reason);
    if (warning) warnings.emplace_back(reason);
  }
  std::vector<std::string> reasons;
  std::vector<std::string> warnings;  ///< Those of them that warn.
};

class ReconcileTest : public ::testing::Test {
 protected:
  ReconcileTest() {
    server_.stored = cluster_object("100");
    cached_ = server_.stored;
    put_pod(0);
  }

  void put_pod(int ordinal) {
    const std::string name = std::format("shop-{}", ordinal);
    pods_[name] = {{"metadata",
                    {{"name", name},
                     {"namespace", "default"},
                     {"uid", pod_uid_of(ordinal)},
                     {"labels", {{"mysql.baton.dev/cluster", "shop"}}}}},
                   {"status", {{"phase", "Running"}, {"podIP", std::format("10.0.0.{}", ordinal + 1)}}}};
  }

  Result<kube::Outcome> reconcile() {
    return reconciler_.reconcile(Context{.deadline = clock_.now() + seconds(30)}, kShop);
  }
  engine::Recorded stored_record() { return recorded_of(server_.stored["status"], api::Names("shop")).value(); }

  /// shop-0 is primary in epoch 2; its one acker was shop-2, of which there is no pod any more.
  static engine::Recorded lost_acker_record() {
    const engine::PrimaryRef primary{Ordinal(0), ServerUuid(kUuid0)};
    engine::Recorded recorded{
        .bootstrap = primary, .current_primary = primary, .epoch = Epoch(2), .revision = Revision(9)};
    recorded.ackers = {{Ordinal(2), ServerUuid("acker"), PodUid("p2"), BootId("b2")}};
    recorded.ack_count = 1;
    recorded.ever_ready = true;
    return recorded;
  }
  void put_record(const engine::Recorded& recorded) {
    Json status = Json::object();
    put_recorded(status, recorded, api::Names("shop"));
    server_.write_behind(status);
    cached_ = server_.stored;
  }

  /// The sidecar of shop-0 says that its directory is empty, or what `change` makes of that.
  void hear_empty_member(const std::function<void(wire::MemberState&)>& change = {}) { hear(0, change); }
  void hear(int ordinal, const std::function<void(wire::MemberState&)>& change) {
    wire::MemberState state{.member = std::format("shop-{}", ordinal),
                            .pod_uid = pod_uid_of(ordinal),
                            .boot_id = "boot",
                            .sidecar_id = "a"};
    state.sequence = ++sequence_;
    state.uuid = uuid_of(ordinal);
    state.directory = wire::Directory::kEmpty;
    state.process = wire::Process::kNotRunning;
    if (change) change(state);
    ASSERT_TRUE(book_.hear(kShop, state, clock_.now()).has_value());
  }

  /// The primary Service is there, and points nowhere yet.
  void make_service() {
    service_ = Object();
    (*service_)["metadata"] = {{"name", "shop-primary"}, {"namespace", "default"}};
  }
  /// The new primary is chosen and not open: its record says so, and its mysqld runs read-only.
  void begin_opening() {
    engine::Recorded recorded = lost_acker_record();
    recorded.failover = engine::FailoverRecord{
        .id = "shop-2", .old_primary = {Ordinal(1), ServerUuid("lost")}, .phase = engine::FailoverPhase::kOpening};
    put_record(recorded);
  }
  void hear_closed_primary() {
    hear_empty_member([](wire::MemberState& state) {
      state.epoch = 2;
      state.opened_epoch = 1;
      state.directory = wire::Directory::kInitialized;
      state.process = wire::Process::kRunning;
      state.sql = wire::Sql{.version = "9.7.4", .read_only = true, .super_read_only = true};
    });
  }
  /// shop-0 is the primary in epoch 2, and shop-1 and shop-2 acknowledge what it commits.
  void put_cluster_of_three() {
    server_.stored["spec"]["replicas"] = 3;
    engine::Recorded recorded = lost_acker_record();
    recorded.ackers.clear();
    for (int i = 1; i <= 2; ++i) {
      put_pod(i);
      recorded.ackers.push_back({Ordinal(i), ServerUuid(uuid_of(i)), PodUid(pod_uid_of(i)), BootId("boot")});
    }
    put_record(recorded);
  }
  /// They all run, and hold the same.
  void hear_cluster_of_three() {
    const auto runs = [](wire::MemberState& state) {
      state.epoch = 2;
      state.directory = wire::Directory::kCloned;
      state.process = wire::Process::kRunning;
      state.sql = wire::Sql{.version = "9.7.4", .gtid_executed = std::string(kUuid0) + ":1-5"};
    };
    hear(0, [&](wire::MemberState& state) {
      runs(state);
      state.opened_epoch = 2;
      state.sql->read_only = state.sql->super_read_only = false;
      state.sql->semi_sync = {.source_enabled = true, .wait_for_count = 1, .clients = 2, .source_active = true};
      state.sql->replication_accounts = {{uuid_of(1), false}, {uuid_of(2), false}};
    });
    for (int i = 1; i <= 2; ++i) {
      hear(i, [&](wire::MemberState& state) {
        runs(state);
        state.sql->semi_sync = {.replica_enabled = true, .replica_active = true};
        state.sql->channel.source_host = "10.0.0.1";
        state.sql->channel.receiver = state.sql->channel.applier = wire::Thread::kRunning;
      });
    }
  }
  void hear_killed_primary() {
    hear(0, [](wire::MemberState& state) {
      state.epoch = state.opened_epoch = 2;
      state.directory = wire::Directory::kCloned;
      state.hold = wire::Hold::kCrashedPrimary;
      state.last_exit = wire::Exit{.signal = 9};
    });
  }

  /// What Prometheus reads of a series of this cluster; empty if there is none.
  std::string metric(const std::string& name, std::map<std::string, std::string> labels = {}) {
    labels.insert({{"namespace", "default"}, {"cluster", "shop"}});
    std::string series;
    for (const auto& [label, value] : labels) {
      series += std::format("{}{}=\"{}\"", series.empty() ? "" : ",", label, value);
    }
    return value_of(std::format("{}{{{}}} ", name, series));
  }
  /// Behind the line's beginning.
  std::string value_of(const std::string& series) {
    families_read_.insert(series.substr(0, series.find_first_of("{ ")));
    std::istringstream text(metrics_.text());
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with(series)) return line.substr(series.size());
    }
    return {};
  }
  /// Families that Prometheus is given and no test of this fixture has read.
  std::vector<std::string> families_unread() {
    constexpr std::string_view kType = "# TYPE ";
    std::vector<std::string> unread;
    std::istringstream text(metrics_.text());
    for (std::string line; std::getline(text, line);) {
      if (!line.starts_with(kType)) continue;
      const std::string family = line.substr(kType.size(), line.find(' ', kType.size()) - kType.size());
      // A histogram's series bear its name and more.
      const auto is_of_it = [&](const std::string& name) { return name.starts_with(family); };
      if (std::ranges::none_of(families_read_, is_of_it)) unread.push_back(family);
    }
    return unread;
  }

  static Lookup lookup(const std::optional<Object>& object) {
    return [&object](const kube::ObjectKey& key) -> kube::ObjectPtr {
      if (!object || kube::key_of(*object).value() != key) return nullptr;
      return std::make_shared<const Json>(*object);
    };
  }

  test::ManualClock clock_;
  FakeServer server_;
  std::optional<Object> cached_;
  std::map<std::string, Object> pods_;
  std::optional<Object> service_;
  FakeLease lease_;
  FakeLinks links_;
  FakeSteps steps_;
  FakeObjects objects_;
  FakeEvents events_;
  SidecarBook book_;
  EndedPods ended_;
  Timelines timelines_;
  Metrics metrics_{book_, clock_};
  std::int64_t sequence_ = 0;
  std::set<std::string> families_read_;
  Json status_;
  Reconciler reconciler_{{.clusters = lookup(cached_),
                          .pods = [this](const kube::ObjectKey& key) -> kube::ObjectPtr {
                            const auto pod = pods_.find(key.name);
                            return pod == pods_.end() ? nullptr : std::make_shared<const Json>(pod->second);
                          },
                          .services = lookup(service_),
                          .book = book_,
                          .ended = ended_,
                          .links = links_,
                          .steps = steps_,
                          .cluster = server_,
                          .objects = objects_,
                          .events = events_,
                          .lease = lease_,
                          .timelines = timelines_,
                          .metrics = metrics_,
                          .clock = clock_,
                          .closed = {}}};
};

TEST_F(ReconcileTest, TheStandbyListensAndWritesNothing) {
  lease_.is_held = false;
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(links_.wanted.size(), 1U);
  EXPECT_EQ(server_.writes, 0);
  EXPECT_TRUE(steps_.plans.empty());
}

TEST_F(ReconcileTest, TheFirstRecordOfATermRaisesTheRevision) {
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(stored_record().revision, Revision(1));
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(stored_record().revision, Revision(1));
  lease_.current = 2;
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(stored_record().revision, Revision(2));
}

TEST_F(ReconcileTest, TheRecordIsDurableBeforeItsOrderIsGiven) {
  hear_empty_member();
  ASSERT_TRUE(reconcile().has_value());
  ASSERT_TRUE(stored_record().bootstrap.has_value());
  EXPECT_EQ(stored_record().bootstrap->uuid, ServerUuid(kUuid0));
  ASSERT_FALSE(steps_.plans.empty());
  const Plan& plan = steps_.plans.back();
  EXPECT_EQ(plan.revision, stored_record().revision);
  ASSERT_EQ(plan.steps.size(), 1U);
  EXPECT_EQ(engine::name_of(plan.steps.front()), "Initialize");
}

TEST_F(ReconcileTest, VolumesOfMembersThatAreWantedNoMoreAreHeardBeforeAHistoryIsChosen) {
  objects_.volumes_there = 3;
  ASSERT_TRUE(reconcile().has_value());
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(objects_.members_brought, 3) << "replicas is 1";
  EXPECT_EQ(objects_.volumes_asked, 1);
  put_record(lost_acker_record());
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(objects_.volumes_asked, 1) << "what is recorded needs no volumes to be counted";
}

TEST_F(ReconcileTest, ASlowReadOfSecretsHoldsUpNoDecision) {
  hear_empty_member();
  std::size_t plans_before = 0;
  objects_.while_refreshing = [&] { plans_before = steps_.plans.size(); };
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(plans_before, 1U);
  EXPECT_EQ(objects_.credentials_deadline, clock_.now() + seconds(2));
  begin_opening();
  hear_closed_primary();
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(plans_before, 2U);
  EXPECT_EQ(objects_.credentials_deadline, clock_.now() + std::chrono::milliseconds(500));
}

TEST_F(ReconcileTest, ALeaseThatIsLostBetweenTwoRecordsEndsTheLook) {
  hear_empty_member();
  server_.after_write = [&] { lease_.is_held = false; };
  const auto outcome = reconcile();
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(server_.writes, 1) << "the term was claimed";
  EXPECT_FALSE(stored_record().bootstrap.has_value());
  EXPECT_TRUE(steps_.plans.empty());
}

TEST_F(ReconcileTest, ARecordThatTheServerPrunesIsNotActedUpon) {
  hear_empty_member();
  server_.pruned = "bootstrap";
  const auto outcome = reconcile();
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::kTerminal);
  EXPECT_TRUE(steps_.plans.empty());
}

TEST_F(ReconcileTest, AnAckerIsNotScaledAwayAndAHeldFailoverTouchesNoService) {
  engine::Recorded recorded = lost_acker_record();
  put_record(recorded);
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(objects_.members_brought, 3) << "one is wanted, but shop-2 has acknowledged";
  EXPECT_TRUE(objects_.services_brought);
  recorded.revision = Revision(99);
  recorded.failover = engine::FailoverRecord{.id = "shop-2", .old_primary = *recorded.current_primary};
  put_record(recorded);
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(server_.stored["status"]["state"], "FailoverHeld");
  EXPECT_EQ(objects_.members_brought, 3);
  EXPECT_FALSE(objects_.services_brought);
}

TEST_F(ReconcileTest, ObjectsWaitForAFailoverButNotForEver) {
  // What keeps the primary closed may be a setting that a person has corrected meanwhile.
  make_service();
  begin_opening();
  hear_closed_primary();
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(server_.stored["status"]["state"], "Opening");
  EXPECT_EQ(objects_.times_brought, 0);
  clock_.advance(seconds(10));
  hear_closed_primary();
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(server_.stored["status"]["state"], "Opening");
  EXPECT_EQ(objects_.times_brought, 1);
  EXPECT_FALSE(objects_.services_brought) << "the endpoint still has to move";
}

TEST_F(ReconcileTest, AMissingPrimaryServiceIsMadeDuringAFailover) {
  begin_opening();
  hear_closed_primary();
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(server_.stored["status"]["state"], "Opening");
  EXPECT_EQ(objects_.times_brought, 1);
  EXPECT_FALSE(objects_.services_brought);
}

TEST_F(ReconcileTest, AFindingIsToldOnce) {
  put_record(lost_acker_record());
  for (int look = 0; look < 3; ++look) ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(events_.warnings, std::vector<std::string>{"PrimaryUnknown"});
}

TEST_F(ReconcileTest, AFindingThatARecordMendsIsToldAsWell) {
  put_record(lost_acker_record());
  hear_empty_member([](wire::MemberState& state) {
    state.epoch = state.opened_epoch = 2;
    state.directory = wire::Directory::kInitialized;
    state.process = wire::Process::kRunning;
    state.sql = wire::Sql{.version = "9.7.4", .read_only = false, .super_read_only = false};
  });
  for (int look = 0; look < 2; ++look) ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(stored_record().ack_count, 0) << "its commits wait for no acks, by nobody's order";
  EXPECT_EQ(std::ranges::count(events_.warnings, "GuaranteeVoid"), 1);
}

TEST_F(ReconcileTest, ADecisionThatWaitsIsLookedAtAgainAtItsTime) {
  server_.stored["spec"]["failover"] = {{"crashGraceMilliseconds", 4000}};
  put_record(lost_acker_record());
  hear_empty_member([](wire::MemberState& state) {
    state.directory = wire::Directory::kInitialized;
    state.hold = wire::Hold::kCrashedPrimary;
  });
  const auto first = reconcile();
  ASSERT_TRUE(first.has_value()) << first.error().what;
  EXPECT_EQ(first->again_after, seconds(4));
  clock_.advance(std::chrono::milliseconds(1500));
  const auto second = reconcile();
  ASSERT_TRUE(second.has_value()) << second.error().what;
  EXPECT_EQ(second->again_after, std::chrono::milliseconds(2500));
}

TEST_F(ReconcileTest, APersonsWordThatServesNothingIsTakenBack) {
  for (const char* pod : {"shop-0", "elsewhere-1"}) {
    server_.stored["metadata"]["annotations"] = {{"mysql.baton.dev/force-failover", pod}, {"other", "stays"}};
    server_.stored["metadata"]["resourceVersion"] = std::to_string(++server_.version);
    cached_ = server_.stored;
    ASSERT_TRUE(reconcile().has_value());
    EXPECT_EQ(server_.stored["metadata"]["annotations"], (Json{{"other", "stays"}})) << pod;
    EXPECT_TRUE(std::ranges::contains(events_.reasons, "ForceFailoverTakenBack"));
    events_.reasons.clear();
  }
}

TEST_F(ReconcileTest, TheWriteThatEndsAFailoverTellsIt) {
  const engine::PrimaryRef primary{Ordinal(0), ServerUuid(kUuid0)};
  engine::Recorded recorded{
      .bootstrap = primary, .current_primary = primary, .epoch = Epoch(2), .revision = Revision(9)};
  recorded.failover = engine::FailoverRecord{.id = "shop-2", .old_primary = primary, .evidence = "killed"};
  Json status = Json::object();
  put_recorded(status, recorded, api::Names("shop"));
  status["failover"]["startedAt"] = "2026-01-01T00:00:00.000Z";
  server_.write_behind(status);
  cached_ = server_.stored;
  ASSERT_TRUE(reconcile().has_value()) << "the term is claimed";
  hear_empty_member([](wire::MemberState& state) {
    state.directory = wire::Directory::kInitialized;
    state.process = wire::Process::kRunning;
    state.sql = wire::Sql{.version = "9.7.4", .super_read_only = true};
  });
  const int writes = server_.writes;
  while (stored_record().failover && server_.writes < writes + 5) ASSERT_TRUE(reconcile().has_value());
  ASSERT_FALSE(stored_record().failover);
  const Json& told = server_.stored["status"]["lastFailover"];
  EXPECT_EQ(told["id"], "shop-2");
  EXPECT_EQ(told["from"], "shop-0");
  EXPECT_EQ(told["startedAt"], "2026-01-01T00:00:00.000Z");
}

TEST_F(ReconcileTest, AStandbyHasNothingToSayOfAClusterThatItLed) {
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_TRUE(metrics_.text().contains("cluster=\"shop\""));
  lease_.is_held = false;
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_FALSE(metrics_.text().contains("cluster=\"shop\""));
}

TEST_F(ReconcileTest, AnEarlierTermsFailoverIsNotToldOverALaterOne) {
  const engine::Recorded quiet = lost_acker_record();
  engine::Recorded begun = quiet;
  begun.failover = engine::FailoverRecord{.id = "shop-2", .old_primary = *quiet.current_primary};
  timelines_.record_written(kShop, quiet, begun, std::nullopt, clock_.wall(), clock_.wall());
  timelines_.record_written(kShop, begun, quiet, std::nullopt, clock_.wall(), clock_.wall());
  ASSERT_FALSE(timelines_.of(kShop).finished_at.empty());
  // Another leader saw another failover meanwhile.
  put_record(quiet);
  server_.stored["status"]["lastFailover"] = {{"id", "shop-5"}};
  cached_ = server_.stored;
  lease_.current = 2;
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(server_.stored["status"]["lastFailover"]["id"], "shop-5");
}

TEST_F(ReconcileTest, ALostRaceIsDecidedAnewOnWhatTheWinnerWrote) {
  Json status = Json::object();
  put_recorded(status, engine::Recorded{.epoch = Epoch(0), .revision = Revision(40)}, api::Names("shop"));
  server_.write_behind(status);
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(server_.conflicts, 1);
  EXPECT_EQ(stored_record().revision, Revision(41));
}

TEST_F(ReconcileTest, NothingIsDoneOnADecisionThatWasNeverMade) {
  server_.stored["metadata"]["annotations"] = {{"mysql.baton.dev/force-failover", "shop-0"}};
  put_record(lost_acker_record());
  for (const int races : {1000, 7}) {  // All of them; all but the last, in which the term is claimed.
    server_.races_to_lose = races;
    const auto outcome = reconcile();
    ASSERT_FALSE(outcome.has_value()) << races;
    EXPECT_EQ(outcome.error().kind, ErrorKind::kConflict);
    EXPECT_EQ(objects_.times_brought, 0) << "no member is scaled away";
    EXPECT_TRUE(server_.stored["metadata"]["annotations"].contains("mysql.baton.dev/force-failover"));
    EXPECT_TRUE(steps_.plans.empty());
  }
  EXPECT_EQ(server_.conflicts, 8 + 7);
}

TEST_F(ReconcileTest, AStaleCacheIsNotDecidedUpon) {
  ASSERT_TRUE(reconcile().has_value());
  hear_empty_member();
  // The cache still holds the resource as it was before anything was written.
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(server_.conflicts, 0);
  const engine::Recorded after = stored_record();
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(stored_record(), after);
  // A newer one is taken.
  put_recorded(status_, engine::Recorded{.epoch = Epoch(3), .revision = Revision(77)}, api::Names("shop"));
  server_.write_behind(status_);
  cached_ = server_.stored;
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_GE(stored_record().revision, Revision(77));
}

TEST_F(ReconcileTest, WithTheApiServerAwayRecordsWaitAndNothingIsOrdered) {
  ASSERT_TRUE(reconcile().has_value());
  steps_.plans.clear();
  hear_empty_member();
  server_.away = true;
  const auto outcome = reconcile();
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::kRetry);
  EXPECT_TRUE(steps_.plans.empty());
  server_.away = false;
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_TRUE(stored_record().bootstrap.has_value());
  EXPECT_FALSE(steps_.plans.empty());
}

TEST_F(ReconcileTest, AnUnreadableRecordIsHeldAndLeftAsItIs) {
  Json status = {{"epoch", 4}, {"floor", "nonsense"}};
  server_.stored["status"] = status;
  cached_ = server_.stored;
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(server_.stored["status"]["floor"], "nonsense");
  EXPECT_EQ(server_.stored["status"]["conditions"][0]["reason"], "RecordUnreadable");
  EXPECT_TRUE(steps_.plans.empty());
  EXPECT_EQ(events_.reasons, std::vector<std::string>{"RecordUnreadable"});
}

TEST_F(ReconcileTest, ADeletedClusterIsLetGo) {
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_TRUE(objects_.finalizer);
  server_.stored["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  server_.write_behind(server_.stored["status"]);
  cached_ = server_.stored;
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_FALSE(objects_.finalizer);
  EXPECT_TRUE(links_.wanted.empty());
  EXPECT_TRUE(metrics_.text().contains("cluster=\"shop\""));
  cached_.reset();
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_TRUE(steps_.forgotten);
  EXPECT_FALSE(metrics_.text().contains("cluster=\"shop\""));
}

TEST_F(ReconcileTest, EveryMetricTellsOfAFailover) {
  put_cluster_of_three();
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(metric("baton_cluster_state", {{"state", "PrimaryUnknown"}}), "1") << "nobody was heard yet";
  EXPECT_EQ(metric("baton_cluster_failover_ready"), "0");
  EXPECT_EQ(metric("baton_cluster_members_heard"), "0");

  hear_cluster_of_three();
  make_service();
  (*service_)["metadata"]["annotations"] = {{"mysql.baton.dev/epoch", "2"}};
  (*service_)["spec"]["selector"] = {{"statefulset.kubernetes.io/pod-name", "shop-0"}};
  ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(metric("baton_cluster_state", {{"state", "Healthy"}}), "1") << metrics_.text();
  EXPECT_EQ(metric("baton_cluster_state", {{"state", "PrimaryUnknown"}}), "0");
  EXPECT_EQ(metric("baton_cluster_failover_ready"), "1");
  EXPECT_EQ(metric("baton_cluster_members_heard"), "3");
  EXPECT_EQ(metric("baton_cluster_members_wanted"), "3");
  EXPECT_EQ(metric("baton_cluster_ackers"), "2");
  EXPECT_EQ(metric("baton_cluster_ack_count"), "1");
  EXPECT_EQ(metric("baton_cluster_epoch"), "2");
  EXPECT_EQ(metric("baton_failovers_total"), "0");
  EXPECT_EQ(metric("baton_reconcile_seconds_count"), "2");

  clock_.advance(std::chrono::milliseconds(1500));
  hear_killed_primary();
  for (int look = 0; look < 2; ++look) ASSERT_TRUE(reconcile().has_value());
  EXPECT_EQ(metric("baton_cluster_state", {{"state", "FailingOver"}}), "1") << metrics_.text();
  EXPECT_EQ(metric("baton_cluster_state", {{"state", "Healthy"}}), "0");
  EXPECT_EQ(metric("baton_failovers_total"), "1") << "one, however often it is looked at";
  EXPECT_EQ(metric("baton_cluster_epoch"), "3");
  EXPECT_EQ(metric("baton_member_seconds_since_heard", {{"member", "shop-0"}}), "0");
  EXPECT_EQ(metric("baton_member_seconds_since_heard", {{"member", "shop-1"}}), "1.5");

  Reactor reactor({book_, timelines_, events_, metrics_, clock_, Logger(), [](const ClusterKey&, Duration) {}});
  const auto ends = [&](const engine::Step& step, Result<void> result) {
    reactor.finished({.key = kShop, .step = step, .cluster = "shop", .result = std::move(result), .state = {}});
  };
  ends(engine::StopReceiver{Ordinal(1)}, {});
  ends(engine::StopReceiver{Ordinal(2)}, fail(ErrorKind::kRetry, "no answer"));
  ends(engine::StopReceiver{Ordinal(2)}, {});
  EXPECT_EQ(metric("baton_steps_total", {{"step", "StopReceiver"}, {"result", "ok"}}), "2");
  EXPECT_EQ(metric("baton_steps_total", {{"step", "StopReceiver"}, {"result", "failed"}}), "1");
  EXPECT_EQ(metric("baton_steps_total", {{"step", "Open"}, {"result", "ok"}}), "0");

  EXPECT_EQ(value_of("baton_leader "), "0");
  metrics_.leading(true);
  EXPECT_EQ(value_of("baton_leader "), "1");
  EXPECT_EQ(families_unread(), std::vector<std::string>{}) << "this test is to read them all";
}

TEST(ResourceVersions, AreComparedAsNumbers) {
  EXPECT_TRUE(not_older("100", "99"));
  EXPECT_TRUE(not_older("100", "100"));
  EXPECT_FALSE(not_older("99", "100"));
}

}  // namespace
}  // namespace baton::reconcile
