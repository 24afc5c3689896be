// What our client, informer, lease and recorder promise, held against a real API server. The server is named by
// BATON_TEST_KUBECONFIG; each test works in a namespace of its own and removes it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>

#include "operator/kube/event_recorder.h"
#include "operator/kube/informer.h"
#include "operator/kube/kube_config.h"
#include "operator/kube/lease.h"

namespace baton::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ResourceType kNamespaces{"", "v1", "Namespace", "namespaces", false};
const SystemClock kClock;

class KubeContractTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("BATON_TEST_KUBECONFIG");
    if (path == nullptr) GTEST_SKIP() << "BATON_TEST_KUBECONFIG is not set: no API server to test against";
    const auto config = kubeconfig_file(path);
    ASSERT_TRUE(config) << config.error().what;
    auto options = config->http;
    requests_ = std::make_unique<HttpCpprest>(options, kClock);
    options.idle_timeout = seconds(40);
    watches_ = std::make_unique<HttpCpprest>(options, kClock);
    client_ = std::make_unique<KubeClient>(*requests_, *watches_);
    space_ = std::format("baton-contract-{:08x}", std::random_device()());
    const auto made = client_->create(context(), kNamespaces, {{"metadata", {{"name", space_}}}});
    ASSERT_TRUE(made) << made.error().what;
  }
  void TearDown() override {
    if (client_) (void)client_->remove(context(), kNamespaces, {"", space_});
  }
  static Context context(Duration limit = seconds(20)) {
    return {.stop = {}, .deadline = kClock.now() + limit, .log = {}};
  }
  [[nodiscard]] Json config_map(const std::string& name, const std::string& value) const {
    return {{"metadata", {{"namespace", space_}, {"name", name}, {"labels", {{"app", "contract"}}}}},
            {"data", {{"value", value}}}};
  }
  static bool eventually(const std::function<bool()>& holds, Duration limit = seconds(20)) {
    for (const Instant until = kClock.now() + limit; kClock.now() < until; std::this_thread::yield()) {
      if (holds()) return true;
    }
    return holds();
  }

  std::unique_ptr<HttpCpprest> requests_;
  std::unique_ptr<HttpCpprest> watches_;
  std::unique_ptr<KubeClient> client_;
  std::string space_;
};

TEST_F(KubeContractTest, VerbsAndTheirErrors) {
  const ObjectKey key{space_, "one"};
  EXPECT_EQ(client_->get(context(), kConfigMaps, key).error().kind, ErrorKind::kNotFound);
  const auto made = client_->create(context(), kConfigMaps, config_map("one", "a"));
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ(client_->create(context(), kConfigMaps, config_map("one", "a")).error().kind, ErrorKind::kConflict);

  auto changed = *made;
  changed["data"]["value"] = "b";
  const auto updated = client_->update(context(), kConfigMaps, changed);
  ASSERT_TRUE(updated) << updated.error().what;
  EXPECT_EQ(client_->update(context(), kConfigMaps, changed).error().kind, ErrorKind::kConflict)
      << "its version is not the latest any more";

  const Json stale{{"metadata", {{"resourceVersion", metadata_text(*made, "resourceVersion")}}},
                   {"data", {{"value", "c"}}}};
  EXPECT_EQ(client_->merge_patch(context(), kConfigMaps, key, stale).error().kind, ErrorKind::kConflict);
  const auto patched = client_->merge_patch(context(), kConfigMaps, key, {{"data", {{"more", "m"}}}});
  ASSERT_TRUE(patched);
  EXPECT_EQ((*patched)["data"], (Json{{"value", "b"}, {"more", "m"}}));

  auto wrong = config_map("Not A Name", "a");
  const auto refused = client_->create(context(), kConfigMaps, wrong);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kTerminal);
  EXPECT_NE(refused.error().what.find("RFC 1123"), std::string::npos) << refused.error().what;

  EXPECT_EQ(client_->remove(context(), kConfigMaps, key, {.uid = "00000000-0000-0000-0000-000000000000"}).error().kind,
            ErrorKind::kConflict);
  EXPECT_TRUE(client_->remove(context(), kConfigMaps, key, {.uid = metadata_text(*made, "uid")}));
  EXPECT_EQ(client_->remove(context(), kConfigMaps, key).error().kind, ErrorKind::kNotFound);
}

TEST_F(KubeContractTest, ApplyOwnsItsFields) {
  const auto first = client_->apply(context(), kConfigMaps, config_map("one", "a"), "baton", false);
  ASSERT_TRUE(first) << first.error().what;
  const auto other = client_->apply(context(), kConfigMaps, config_map("one", "b"), "somebody", false);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::kConflict) << other.error().what;
  EXPECT_TRUE(client_->apply(context(), kConfigMaps, config_map("one", "b"), "somebody", true));
  const auto same = client_->apply(context(), kConfigMaps, config_map("two", "a"), "baton", false);
  const auto again = client_->apply(context(), kConfigMaps, config_map("two", "a"), "baton", false);
  ASSERT_TRUE(same && again);
  EXPECT_EQ(metadata_text(*same, "resourceVersion"), metadata_text(*again, "resourceVersion")) << "no change, no write";
}

TEST_F(KubeContractTest, StatusIsWrittenApart) {
  const ResourceType budgets = kDisruptionBudgets;
  const auto made = client_->create(context(), budgets,
                                    {{"metadata", {{"namespace", space_}, {"name", "one"}}},
                                     {"spec", {{"maxUnavailable", 1}, {"selector", {{"matchLabels", {{"a", "b"}}}}}}}});
  ASSERT_TRUE(made) << made.error().what;
  const Json conditions = {{{"type", "Test"},
                            {"status", "True"},
                            {"reason", "Because"},
                            {"message", "said so"},
                            {"lastTransitionTime", "2026-01-01T00:00:00Z"}}};
  const auto patched =
      client_->merge_patch_status(context(), budgets, {space_, "one"}, {{"status", {{"conditions", conditions}}}});
  ASSERT_TRUE(patched) << patched.error().what;
  EXPECT_EQ((*patched)["status"]["conditions"][0]["reason"], "Because");
  // The disruption controller writes the same status: a conflict says that it came in between; the turn is taken again.
  Result<Json> put = std::unexpected(Error{ErrorKind::kConflict, "not tried"});
  for (int turn = 0; turn < 100 && !put && put.error().kind == ErrorKind::kConflict; ++turn) {
    auto whole = client_->get(context(), budgets, {space_, "one"});
    ASSERT_TRUE(whole);
    (*whole)["spec"]["maxUnavailable"] = 9;
    put = client_->update_status(context(), budgets, *whole);
  }
  ASSERT_TRUE(put) << put.error().what;
  EXPECT_EQ((*put)["spec"]["maxUnavailable"], 1) << "the status sub-resource touches nothing else";
}

TEST_F(KubeContractTest, ListsInPagesBySelector) {
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(client_->create(context(), kConfigMaps, config_map(std::format("m{}", i), "x")));
  }
  std::string token;
  int pages = 0;
  std::size_t items = 0;
  do {
    const auto page =
        client_->list_page(context(), kConfigMaps, {.space = space_, .label_selector = "app=contract"}, token, 3);
    ASSERT_TRUE(page) << page.error().what;
    ++pages;
    items += page->items.size();
    token = page->continue_token;
  } while (!token.empty());
  EXPECT_EQ(items, 7U);
  EXPECT_EQ(pages, 3);
  const auto all = client_->list(context(), kConfigMaps, {.space = space_, .field_selector = "metadata.name=m3"});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->items.size(), 1U);
}

TEST_F(KubeContractTest, AnOldVersionIsGone) {
  Error error{ErrorKind::kRetry, ""};
  WatchState state;
  (void)state.on_page({{}, "1", {}});
  const auto watched =
      client_->watch(context(), kConfigMaps, {.space = space_}, "1", seconds(5), [&](std::string_view line) {
        const auto delta = state.on_line(line);
        if (!delta) error = delta.error();
        return delta.has_value();
      });
  if (!watched) error = watched.error();
  EXPECT_EQ(error.kind, ErrorKind::kGone)
      << error.what << "; a server that was never restarted may remember everything";
}

TEST_F(KubeContractTest, InformerFollowsWhatHappensAcrossWatches) {
  ASSERT_TRUE(client_->create(context(), kConfigMaps, config_map("before", "a")));
  std::mutex mutex;
  std::map<std::string, int> changes;
  Informer informer(*client_, kClock, Logger(),
                    {.type = kConfigMaps,
                     .selection = {.space = space_, .label_selector = "app=contract"},
                     .watch_timeout = seconds(2)},
                    [&](const Change& change) {
                      const std::scoped_lock lock(mutex);
                      ++changes[change.key.name + (!change.before ? "+" : !change.after ? "-" : "~")];
                    });
  ASSERT_TRUE(informer.wait_synced(context()));
  EXPECT_NE(informer.store().get({space_, "before"}), nullptr);

  const auto begun = kClock.now();
  ASSERT_TRUE(client_->create(context(), kConfigMaps, config_map("after", "a")));
  EXPECT_TRUE(eventually([&] { return informer.store().get({space_, "after"}) != nullptr; }));
  RecordProperty("milliseconds_to_see", std::to_string((kClock.now() - begun).count()));
  // Long enough for several watches to end and begin.
  int changed = 0;
  for (; kClock.now() < begun + seconds(5); ++changed) {
    const std::string value = std::to_string(changed);
    ASSERT_TRUE(client_->merge_patch(context(), kConfigMaps, {space_, "after"}, {{"data", {{"value", value}}}}));
    ASSERT_TRUE(eventually([&] { return (*informer.store().get({space_, "after"}))["data"]["value"] == value; }));
  }
  ASSERT_TRUE(client_->remove(context(), kConfigMaps, {space_, "before"}));
  EXPECT_TRUE(eventually([&] { return informer.store().size() == 1; }));
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(changes["before+"], 1);
  EXPECT_EQ(changes["after+"], 1);
  EXPECT_EQ(changes["after~"], changed) << "nothing is told twice, nothing is missed";
  EXPECT_EQ(changes["before-"], 1);
}

TEST_F(KubeContractTest, OneLeadsAndTheOtherFollowsAtOnce) {
  std::atomic<int> leaders = 0;
  std::atomic<int> most = 0;
  const auto on_change = [&](bool leader) {
    leaders += leader ? 1 : -1;
    most = std::max(most.load(), leaders.load());
  };
  const ObjectKey key{space_, "leader"};
  auto first = std::make_unique<LeaderLease>(*client_, kClock, Logger(), LeaseOptions{key, "first"}, on_change);
  ASSERT_TRUE(eventually([&] { return first->is_leader(); }));
  LeaderLease second(*client_, kClock, Logger(), LeaseOptions{key, "second"}, on_change);
  EXPECT_FALSE(eventually([&] { return second.is_leader(); }, seconds(5))) << "a lease that is renewed stays";
  EXPECT_TRUE(first->is_leader());
  first.reset();
  const auto lease = client_->get(context(), kLeases, key);
  ASSERT_TRUE(lease) << lease.error().what;
  EXPECT_NE((*lease)["spec"]["holderIdentity"], "first") << "it was released, so that nobody waits for its end";
  EXPECT_TRUE(eventually([&] { return second.is_leader(); }));
  EXPECT_EQ(most, 1);
  EXPECT_GE(second.transitions(), 1);
}

TEST_F(KubeContractTest, ALeaderThatIsSilentIsReplacedAfterTheDuration) {
  const ObjectKey key{space_, "leader"};
  // A holder that never renews, with times from another age: only what we see change counts.
  ASSERT_TRUE(client_->create(context(), kLeases,
                              {{"metadata", {{"namespace", space_}, {"name", "leader"}}},
                               {"spec",
                                {{"holderIdentity", "dead"},
                                 {"leaseDurationSeconds", 3},
                                 {"renewTime", "2099-01-01T00:00:00.000000Z"},
                                 {"leaseTransitions", 4}}}}));
  const Instant begun = kClock.now();
  LeaderLease lease(*client_, kClock, Logger(), LeaseOptions{key, "me"}, [](bool) {});
  EXPECT_TRUE(eventually([&] { return lease.is_leader(); }));
  EXPECT_GE(kClock.now() - begun, seconds(3));
  EXPECT_LT(kClock.now() - begun, seconds(30));
  EXPECT_EQ(lease.transitions(), 5);
}

TEST_F(KubeContractTest, LossIsTold) {
  std::atomic<int> losses = 0;
  const ObjectKey key{space_, "leader"};
  LeaderLease lease(*client_, kClock, Logger(), LeaseOptions{key, "me"},
                    [&](bool leader) { losses += leader ? 0 : 1; });
  ASSERT_TRUE(eventually([&] { return lease.is_leader(); }));
  ASSERT_TRUE(client_->merge_patch(context(), kLeases, key, {{"spec", {{"holderIdentity", "usurper"}}}}));
  EXPECT_TRUE(eventually([&] { return losses == 1; }));
  EXPECT_FALSE(lease.is_leader());
}

TEST_F(KubeContractTest, EqualEventsAreCounted) {
  const auto subject = client_->create(context(), kConfigMaps, config_map("subject", "a"));
  ASSERT_TRUE(subject);
  EventRecorder recorder(*client_, kClock, Logger(), "baton-test", "instance-1");
  const auto about = subject_of(*subject, kConfigMaps);
  for (int i = 0; i < 5; ++i) recorder.record(about, EventType::kWarning, "FailoverHeld", "no candidate");
  ASSERT_TRUE(recorder.flush(context()));
  recorder.record(about, EventType::kWarning, "FailoverHeld", "no candidate");
  recorder.record(about, EventType::kNormal, "FailoverDone", std::string(5000, 'x'));
  ASSERT_TRUE(recorder.flush(context()));
  const auto events =
      client_->list(context(), kEvents, {.space = space_, .field_selector = "involvedObject.name=subject"});
  ASSERT_TRUE(events) << events.error().what;
  std::map<std::string, std::int64_t> counts;
  for (const auto& event : events->items) counts[event["reason"]] += event["count"].get<std::int64_t>();
  EXPECT_EQ(counts, (std::map<std::string, std::int64_t>{{"FailoverHeld", 6}, {"FailoverDone", 1}}));
  EXPECT_EQ(events->items.size(), 2U);
  EXPECT_EQ(recorder.dropped(), 0U);
}

}  // namespace
}  // namespace baton::kube
