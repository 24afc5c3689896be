#include "operator/kube/watch_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/kube/object_store.h"

namespace baton::kube {
namespace {

using ::testing::ElementsAre;

Json pod(const std::string& name, int version, const std::string& uid = "u") {
  return {{"metadata",
           {{"namespace", "db"}, {"name", name}, {"uid", uid + name}, {"resourceVersion", std::to_string(version)}}}};
}
std::string event(const std::string& type, const Json& object) {
  return Json{{"type", type}, {"object", object}}.dump();
}
ListPage page(std::vector<Json> items, int version, std::string token = {}) {
  return {std::move(items), std::to_string(version), std::move(token)};
}

TEST(WatchStateTest, ListsPageByPageThenWatchesFromTheListsVersion) {
  WatchState state;
  EXPECT_EQ(state.next_request(), WatchStep(ListRequest{""}));
  EXPECT_FALSE(state.on_page(page({pod("a", 1)}, 10, "more"))) << "nothing before the last page";
  EXPECT_EQ(state.next_request(), WatchStep(ListRequest{"more"}));
  const auto all = state.on_page(page({pod("b", 2)}, 10));
  ASSERT_TRUE(all);
  EXPECT_EQ(std::get<Replace>(*all).objects.size(), 2U);
  EXPECT_EQ(state.next_request(), WatchStep(WatchRequest{"10"}));
}

class WatchingTest : public ::testing::Test {
 protected:
  WatchingTest() { (void)state_.on_page(page({}, 10)); }
  WatchState state_;
};

TEST_F(WatchingTest, EventsBecomeDeltasAndMoveTheVersion) {
  const auto added = state_.on_line(event("ADDED", pod("a", 11)));
  ASSERT_TRUE(added && *added);
  EXPECT_TRUE(std::holds_alternative<Upsert>(**added));
  EXPECT_EQ(state_.next_request(), WatchStep(WatchRequest{"11"}));
  const auto removed = state_.on_line(event("DELETED", pod("a", 12)));
  ASSERT_TRUE(removed && *removed);
  EXPECT_TRUE(std::holds_alternative<Remove>(**removed));
  EXPECT_EQ(state_.next_request(), WatchStep(WatchRequest{"12"}));
}

TEST_F(WatchingTest, BookmarkMovesTheVersionAndNothingElse) {
  const auto bookmark = state_.on_line(event("BOOKMARK", {{"metadata", {{"resourceVersion", "99"}}}}));
  ASSERT_TRUE(bookmark);
  EXPECT_FALSE(*bookmark);
  EXPECT_EQ(state_.next_request(), WatchStep(WatchRequest{"99"}));
}

TEST_F(WatchingTest, GoneMeansListAgainFromTheFirstPage) {
  const auto gone = state_.on_line(event("ERROR", {{"kind", "Status"}, {"code", 410}, {"message", "too old"}}));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::kGone);
  EXPECT_EQ(state_.next_request(), WatchStep(ListRequest{""}));
}

TEST_F(WatchingTest, OtherErrorsWatchAgainFromTheSameVersion) {
  const auto error = state_.on_line(event("ERROR", {{"kind", "Status"}, {"code", 500}, {"message", "etcd is away"}}));
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().kind, ErrorKind::kRetry);
  EXPECT_NE(error.error().what.find("etcd is away"), std::string::npos);
  EXPECT_EQ(state_.next_request(), WatchStep(WatchRequest{"10"}));
}

TEST_F(WatchingTest, WhatIsNoEventIsCorruptAndMovesNothing) {
  for (const std::string& line :
       {std::string(), std::string("x"), std::string("[]"), std::string("{}"), std::string(R"({"type":1,"object":{}})"),
        std::string(R"({"type":"ADDED","object":[]})"), std::string(R"({"type":"ADDED","object":{}})"),
        event("NEWS", pod("a", 11)), event("ADDED", {{"metadata", {{"resourceVersion", "11"}}}}),
        event("ADDED", {{"metadata", {{"name", "a"}, {"resourceVersion", 11}}}})}) {
    const auto corrupt = state_.on_line(line);
    ASSERT_FALSE(corrupt) << line;
    EXPECT_EQ(corrupt.error().kind, ErrorKind::kCorrupt) << line;
    EXPECT_EQ(state_.next_request(), WatchStep(WatchRequest{"10"})) << line;
  }
}

TEST(WatchStateTest, GoneInTheMiddleOfAListForgetsItsPages) {
  WatchState state;
  (void)state.on_page(page({pod("a", 1)}, 10, "more"));
  state.on_gone();
  EXPECT_EQ(state.next_request(), WatchStep(ListRequest{""}));
  const auto all = state.on_page(page({pod("b", 2)}, 11));
  EXPECT_EQ(std::get<Replace>(*all).objects.size(), 1U);
}

TEST(WatchStateTest, ListsAreTakenApart) {
  EXPECT_TRUE(parse_list_page({{"metadata", {{"resourceVersion", "5"}}}, {"items", nullptr}}));
  EXPECT_FALSE(parse_list_page({{"metadata", {{"resourceVersion", "5"}}}}));
  EXPECT_FALSE(parse_list_page({{"items", Json::array()}}));
  EXPECT_FALSE(parse_list_page({{"metadata", {{"resourceVersion", "5"}}}, {"items", {{{"metadata", {}}}}}}));
  const auto parsed =
      parse_list_page({{"metadata", {{"resourceVersion", "5"}, {"continue", "c"}}}, {"items", {pod("a", 1)}}});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->continue_token, "c");
  EXPECT_EQ(parsed->items.size(), 1U);
}

std::vector<std::string> told(const std::vector<Change>& changes) {
  std::vector<std::string> result;
  for (const auto& change : changes) {
    result.push_back((!change.before ? "+" : !change.after ? "-" : "~") + change.key.name);
  }
  return result;
}

TEST(ObjectStoreTest, ARelistTellsWhatIsNewChangedAndGone) {
  ObjectStore store;
  EXPECT_THAT(told(store.apply(Replace{{pod("a", 1), pod("b", 2), pod("c", 3), pod("d", 4)}})),
              ElementsAre("+a", "+b", "+c", "+d"));
  const auto before = store.get({"db", "b"});
  EXPECT_THAT(told(store.apply(Replace{{pod("b", 9), pod("c", 3), pod("d", 4, "other"), pod("e", 5)}})),
              ElementsAre("-a", "~b", "~d", "+e"));
  EXPECT_EQ(metadata_text(*before, "resourceVersion"), "2") << "readers keep what they got";
  EXPECT_EQ(store.size(), 4U);
  EXPECT_EQ(store.list("db").size(), 4U);
  EXPECT_EQ(store.list("d").size(), 0U);
}

TEST(ObjectStoreTest, SingleChanges) {
  ObjectStore store;
  EXPECT_THAT(told(store.apply(Upsert{pod("a", 1)})), ElementsAre("+a"));
  EXPECT_THAT(told(store.apply(Upsert{pod("a", 1)})), ElementsAre());
  EXPECT_THAT(told(store.apply(Upsert{pod("a", 2)})), ElementsAre("~a"));
  EXPECT_THAT(told(store.apply(Remove{pod("a", 3)})), ElementsAre("-a"));
  EXPECT_THAT(told(store.apply(Remove{pod("a", 3)})), ElementsAre());
  EXPECT_EQ(store.get({"db", "a"}), nullptr);
}

}  // namespace
}  // namespace baton::kube
