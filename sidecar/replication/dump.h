#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "sidecar/binlog/event.h"
#include "sidecar/binlog/transaction_stream.h"
#include "sidecar/replication/output_buffer.h"
#include "sidecar/replication/packet.h"

namespace baton::replication {

/// Puts a stream of transactions into packets, with what a receiver needs besides (sql/rpl_binlog_sender.cc run,
/// send_binlog):
///
///   dump  = { log { heartbeat } } [ EOF ]
///   log   = ROTATE(artificial) FORMAT_DESCRIPTION { event }
///   event = a message of 00 and the raw event
///
/// The receiver adds up the lengths of what it gets into a position of its own, which has nothing to do with log_pos
/// (rpl_replica.cc queue_event), and takes a heartbeat with another log name or an earlier position for a fatal error.
/// So the same sum is kept here, and heartbeats tell it. Events of any length pass through in pieces. Not synchronised.
class Dump {
 public:
  struct Terms {
    std::uint32_t server_id = 0;  ///< In the events that are made up.
    /// Silence after which a heartbeat is sent; nullopt: never.
    std::optional<Duration> heartbeat_period;
    bool heartbeat_v2 = false;
    /// What the receiver was told in @source_binlog_checksum and expects until the first FORMAT_DESCRIPTION. nullopt:
    /// it did not ask and knows no checksums.
    std::optional<binlog::ChecksumAlgorithm> checksum;
    bool non_blocking = false;  ///< End with EOF instead of waiting for more.
  };
  enum class State {
    kMore,      ///< There is more to send now.
    kWaiting,   ///< For more in the stream, or until next_heartbeat().
    kFinished,  ///< All is sent; the end of a non-blocking dump.
  };

  Dump(Terms terms, std::unique_ptr<binlog::TransactionStream> stream, Instant now);

  /// Appends packets until `out` holds about `limit` bytes. Errors: the stream's; kCorrupt when it breaks its contract;
  /// kUnsafe for what this receiver cannot take.
  [[nodiscard]] Result<State> produce(PacketWriter& packets, OutputBuffer& out, std::size_t limit, Instant now);

  [[nodiscard]] Instant next_heartbeat() const;
  /// Whether the last packet ended within an event: nothing but its rest may follow.
  [[nodiscard]] bool inside_event() const { return event_left_ > 0 || packet_left_ > 0 || packet_full_; }
  /// Where the receiver is, by its own count.
  [[nodiscard]] const std::string& log() const { return log_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  [[nodiscard]] Result<State> fill(PacketWriter& packets, OutputBuffer& out, std::size_t limit);
  [[nodiscard]] Result<void> begin_log(const binlog::LogBegin& log, PacketWriter& packets, OutputBuffer& out);
  void write_rotate(std::string_view log, PacketWriter& packets, OutputBuffer& out);
  void write_heartbeat(PacketWriter& packets, OutputBuffer& out);
  void write_event(std::span<const std::byte> event, PacketWriter& packets, OutputBuffer& out);
  /// Whole events of the chunk that fit into their packet and into `out`.
  [[nodiscard]] Result<void> frame_small_events(PacketWriter& packets, OutputBuffer& out, std::size_t limit);
  [[nodiscard]] Result<void> begin_event(PacketWriter& packets, OutputBuffer& out);
  void continue_event(PacketWriter& packets, OutputBuffer& out, std::size_t limit);

  Terms terms_;
  std::unique_ptr<binlog::TransactionStream> stream_;
  Instant last_sent_;
  binlog::ChecksumAlgorithm checksum_ = binlog::ChecksumAlgorithm::kNone;
  std::string log_;
  std::uint64_t position_ = 0;

  std::span<const std::byte> chunk_;  // What is left of it.
  std::uint64_t event_left_ = 0;      // Bytes of the open event that are not in `out` yet.
  std::size_t packet_left_ = 0;       // Those of them that belong to the open packet.
  bool packet_full_ = false;          // The open packet is of full length, so that another one follows.
};

}  // namespace baton::replication
