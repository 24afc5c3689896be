#pragma once

#include "engine/model/recorded.h"
#include "operator/api/names.h"

namespace baton::reconcile {

inline const api::Names kShopNames{"shop"};
inline constexpr const char* kUuid0 = "00000000-0000-0000-0000-000000000000";
inline constexpr const char* kUuid1 = "11111111-1111-1111-1111-111111111111";

inline GtidSet gtids(const char* text) { return GtidSet::parse(text).value(); }

/// A record with every field, in the middle of a failover from shop-0 to shop-1.
inline engine::Recorded full_record() {
  engine::Recorded recorded{.bootstrap = engine::PrimaryRef{Ordinal(0), ServerUuid(kUuid0)},
                            .current_primary = engine::PrimaryRef{Ordinal(1), ServerUuid(kUuid1)},
                            .epoch = Epoch(7),
                            .revision = Revision(41)};
  recorded.ackers = {{.ordinal = Ordinal(2),
                      .uuid = ServerUuid("22222222-2222-2222-2222-222222222222"),
                      .pod_uid = PodUid("p2"),
                      .boot_id = BootId("b2"),
                      .fsyncs = true}};
  recorded.mandatory_log = "acks could time out";
  recorded.ack_count = 1;
  recorded.floor = gtids("00000000-0000-0000-0000-000000000000:1-9,11111111-1111-1111-1111-111111111111:tag:1-3");
  recorded.watermark = gtids("11111111-1111-1111-1111-111111111111:1-4");
  recorded.ever_ready = true;
  recorded.epochs = {{.epoch = Epoch(6),
                      .uuid = ServerUuid(kUuid0),
                      .final_set = gtids("00000000-0000-0000-0000-000000000000:1-9"),
                      .given_up = gtids("00000000-0000-0000-0000-000000000000:10")}};
  recorded.failover = engine::FailoverRecord{.id = "shop-7",
                                             .old_primary = {Ordinal(0), ServerUuid(kUuid0)},
                                             .evidence = "killed by signal 9",
                                             .phase = engine::FailoverPhase::kOpening,
                                             .given_up = gtids("00000000-0000-0000-0000-000000000000:10")};
  return recorded;
}

}  // namespace baton::reconcile
