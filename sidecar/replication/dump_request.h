#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"

namespace baton::replication {

/// COM_BINLOG_DUMP_GTID, without the command byte (sql/rpl_source.cc com_binlog_dump_gtid, sql/rpl_replica.cc
/// request_dump):
///
///   request = flags(2) server_id(4) name_length(4) name position(8) set_length(4) set
///
/// The set is coded as PREVIOUS_GTIDS is, with or without tags. Name and position mean nothing: the set decides.
struct DumpRequest {
  bool non_blocking = false;  ///< Bit 0: an end instead of waiting for more. Not of receivers, but of mysqlbinlog.
  bool heartbeat_v2 = false;  ///< Bit 1: USE_HEARTBEAT_EVENT_V2.
  std::uint32_t server_id = 0;
  GtidSet have;
};
/// Errors: kCorrupt; kUnsafe for a set of a form that is not known.
[[nodiscard]] Result<DumpRequest> read_dump_request(std::span<const std::byte> message);

/// COM_REGISTER_SLAVE, without the command byte: server_id(4), host, user and password each behind a length byte,
/// port(2), rank(4), source_id(4) (sql/rpl_source.cc register_replica).
struct Registration {
  std::uint32_t server_id = 0;
  std::string host;        ///< report_host, often empty.
  std::uint16_t port = 0;  ///< report_port.
};
/// Errors: kCorrupt.
[[nodiscard]] Result<Registration> read_registration(std::span<const std::byte> message);

}  // namespace baton::replication
