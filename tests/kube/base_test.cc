#include <gtest/gtest.h>

#include <mutex>

#include "operator/base/context.h"
#include "operator/base/http_wire.h"
#include "operator/base/log.h"

namespace baton {
namespace {

TEST(LogTest, OneObjectALineWithBoundFields) {
  std::vector<std::string> lines;
  const auto log = Logger::to_function([&](std::string_view line) { lines.emplace_back(line); }, LogLevel::kInfo);
  const auto child = log.with({{"cluster", "shop"}, {"epoch", Epoch(7)}});
  child.info("failover \"started\"", {{"from", "shop-0"}, {"bytes", "\xff"}, {"count", 3}});
  child.debug("not printed");
  ASSERT_EQ(lines.size(), 1U);
  const auto line = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["message"], "failover \"started\"");
  EXPECT_EQ(line["cluster"], "shop");
  EXPECT_EQ(line["epoch"], 7);
  EXPECT_EQ(line["from"], "shop-0");
  EXPECT_EQ(line["count"], 3);
  EXPECT_TRUE(line["time"].get<std::string>().ends_with("Z"));
  child.set_level(LogLevel::kDebug);
  log.debug("printed now");
  EXPECT_EQ(lines.size(), 2U);
  Logger().error("a logger made by default is silent");
}

TEST(ClockTest, TimesArePrintedAsKubernetesReadsThem) {
  const WallTime time(std::chrono::microseconds(1'700'000'000'123'456));
  EXPECT_EQ(rfc3339(time), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(rfc3339_micro(time), "2023-11-14T22:13:20.123456Z");
}

TEST(ContextTest, DeadlinesOnlyComeCloser) {
  const SystemClock clock;
  const Context context{.stop = {}, .deadline = clock.now() + std::chrono::hours(1), .log = {}};
  EXPECT_LE(context.within(std::chrono::seconds(1), clock).remaining(clock), std::chrono::seconds(1));
  EXPECT_EQ(context.within(std::chrono::hours(9), clock).deadline, context.deadline);
  EXPECT_EQ((Context{.stop = {}, .deadline = Instant(), .log = {}}.remaining(clock)), Duration::zero());
  EXPECT_FALSE(Context().ended(clock));
}

TEST(HttpWireTest, HeadIsParsed) {
  const std::string text = "POST /v1/orders?a=b HTTP/1.1\r\nHost: shop-0\r\nContent-Length: 2\r\nX-A:  b \r\n\r\n{}";
  for (std::size_t size = 0; size < text.size() - 2; ++size) {
    const auto part = parse_request_head(std::string_view(text).substr(0, size));
    ASSERT_TRUE(part) << size;
    EXPECT_FALSE(*part) << size;
  }
  const auto head = parse_request_head(text);
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->request.method, "POST");
  EXPECT_EQ((*head)->request.path_and_query, "/v1/orders?a=b");
  EXPECT_EQ((*head)->request.headers.at("x-a"), "b");
  EXPECT_EQ((*head)->body_size, 2U);
  EXPECT_EQ((*head)->size, text.size() - 2);
  EXPECT_TRUE((*head)->keep_alive);
}

TEST(HttpWireTest, WrongHeadsAreAnsweredWithTheirStatus) {
  const auto status = [](std::string_view text) {
    const auto head = parse_request_head(text);
    return head ? 0 : head.error();
  };
  EXPECT_EQ(status("GET / HTTP/1.1\r\nA: b\r\n\r\n"), 0);
  EXPECT_EQ(status("GET /\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(status("GET http://x/ HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status("G@T / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nA b\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nA : b\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\n folded\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n"), 400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nA: " + std::string(kMaxRequestHead, 'x')), 431);
}

}  // namespace
}  // namespace baton
