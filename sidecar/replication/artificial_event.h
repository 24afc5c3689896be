#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sidecar/binlog/event.h"

/// Events that stand in no log: the source makes them up (sql/rpl_binlog_sender.cc).
namespace baton::replication {

/// Tells the receiver the name of the log that follows (fake_rotate_event): timestamp and log_pos 0, flag ARTIFICIAL.
[[nodiscard]] std::vector<std::byte> make_rotate(std::uint32_t server_id, std::string_view log, std::uint64_t position,
                                                 binlog::ChecksumAlgorithm checksum);

/// Says that the source lives, and where the receiver stands (send_heartbeat_event). The receiver takes it for an error
/// when the name is not that of the log it is in, or the position lies before its own. Position modulo 2^32.
[[nodiscard]] std::vector<std::byte> make_heartbeat(std::uint32_t server_id, std::string_view log,
                                                    std::uint64_t position, binlog::ChecksumAlgorithm checksum);

/// The same for receivers that ask for it (flag USE_HEARTBEAT_EVENT_V2 of the dump request, 8.0.26+), any position
/// (libs/mysql/binlog/event/codecs/binary.cpp, Heartbeat).
[[nodiscard]] std::vector<std::byte> make_heartbeat_v2(std::uint32_t server_id, std::string_view log,
                                                       std::uint64_t position, binlog::ChecksumAlgorithm checksum);

}  // namespace baton::replication
