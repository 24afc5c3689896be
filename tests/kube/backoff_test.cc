#include "operator/kube/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace baton::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Many clients of one server; what is random differs between them.
constexpr int kClients = 200;

TEST(BackoffTest, WaitsDoubleUpToTheLimitAndAreShortenedByHalfAtMost) {
  for (int client = 0; client < kClients; ++client) {
    Backoff backoff(milliseconds(100), seconds(1));
    for (const int whole : {100, 200, 400, 800, 1000, 1000, 1000}) {
      const Duration wait = backoff.next();
      EXPECT_GE(wait, milliseconds(whole / 2)) << whole;
      EXPECT_LE(wait, milliseconds(whole)) << whole;
    }
  }
}

TEST(BackoffTest, ASuccessBeginsAnew) {
  Backoff backoff(milliseconds(100), seconds(10));
  for (int failure = 0; failure < 5; ++failure) static_cast<void>(backoff.next());
  backoff.reset();
  EXPECT_LE(backoff.next(), milliseconds(100));
  EXPECT_GE(backoff.next(), milliseconds(100)) << "and doubles from there";
}

TEST(BackoffTest, ClientsDoNotReturnAtOnce) {
  std::set<Duration> waits;
  for (int client = 0; client < kClients; ++client) waits.insert(Backoff(seconds(10), seconds(10)).next());
  // Of five thousand possible ones: fewer would mean that they draw alike.
  EXPECT_GT(waits.size(), kClients / 2U);
}

TEST(BackoffTest, TheFirstWaitMayBeTheLimitAndOfOneMillisecond) {
  Backoff backoff(milliseconds(1), milliseconds(1));
  for (int failure = 0; failure < 3; ++failure) EXPECT_EQ(backoff.next(), milliseconds(1)) << "never none";
}

}  // namespace
}  // namespace baton::kube
