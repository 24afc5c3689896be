#include "operator/kube/lease.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/operator/manual_clock.h"

namespace baton::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// An API server with a lease that nobody holds; it takes one write, slowly, and is away from then on.
class SlowServer final : public HttpPort {
 public:
  explicit SlowServer(test::ManualClock& clock) : clock_(clock) {}

  Result<HttpResponse> send(const Context&, HttpRequest request) override {
    if (away_) return fail(ErrorKind::kRetry, "no connection");
    if (request.method == "GET") {
      return HttpResponse{.body = R"({"metadata": {"namespace": "baton", "name": "leader", "resourceVersion": "0"}})"};
    }
    clock_.advance(milliseconds(800));
    away_ = true;
    Json lease = Json::parse(request.body);
    lease["metadata"]["resourceVersion"] = "1";
    return HttpResponse{.body = lease.dump()};
  }
  Result<void> stream_lines(const Context&, HttpRequest, std::function<bool(std::string_view)>) override { return {}; }

 private:
  test::ManualClock& clock_;
  bool away_ = false;  // Of the lease's thread.
};

TEST(LeaderLeaseTest, CountsFromBeforeItsWriteWasSent) {
  test::ManualClock clock;
  const Instant sent = clock.now();
  SlowServer server(clock);
  KubeClient client(server, server);
  std::promise<void> leads;
  const LeaderLease lease(client, clock, Logger(), {.key = {"baton", "leader"}, .identity = "me"}, [&](bool leader) {
    if (leader) leads.set_value();
  });
  ASSERT_EQ(leads.get_future().wait_for(seconds(10)), std::future_status::ready);
  EXPECT_EQ(lease.term(), 1);
  EXPECT_EQ(lease.valid_until(), sent + milliseconds(2500)) << "five sixths of three seconds";
}

}  // namespace
}  // namespace baton::kube
