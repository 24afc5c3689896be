#include "sidecar/replication/packet.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/replication/bytes.h"

namespace baton::replication {
namespace {

using test::bytes_of;
using test::text_of;

std::string next_of(PacketReader& reader) {
  const auto message = reader.next();
  if (!message) return "error: " + message.error().what;
  return *message ? text_of(**message) : "nothing yet";
}

TEST(PacketReader, MessagesMayComeInAnyPieces) {
  const std::string stream = std::string("\x03\0\0\0abc", 7) + std::string("\0\0\0\1", 4) + std::string("\1\0\0\2d", 5);
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    PacketReader reader(100);
    std::string read;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(bytes_of(stream.substr(at, piece)));
      for (auto message = reader.next(); message && *message; message = reader.next()) read += text_of(**message) + "|";
    }
    EXPECT_EQ(read, "abc||d|") << "pieces of " << piece;
    EXPECT_EQ(reader.next_sequence(), 3);
  }
}

TEST(PacketReader, AMessageOf16MiBGoesOnInMorePackets) {
  for (const std::size_t extra : {std::size_t{0}, std::size_t{1}, kFullPacketLength, kFullPacketLength + 5}) {
    const std::string message(kFullPacketLength + extra, 'm');
    OutputBuffer out(16);
    PacketWriter writer;
    writer.restart(254);
    writer.write(bytes_of(message), out);
    const std::size_t packets = message.size() / kFullPacketLength + 1;  // The last one may be empty.
    EXPECT_EQ(out.size(), message.size() + packets * kPacketHeaderLength);
    PacketReader reader(message.size());
    reader.expect(254);
    reader.feed(out.bytes());
    const auto read = reader.next();
    ASSERT_TRUE(read && *read);
    EXPECT_EQ(text_of(**read), message);
    EXPECT_EQ(reader.next_sequence(), static_cast<std::uint8_t>(254 + packets));
    EXPECT_EQ(next_of(reader), "nothing yet");
  }
}

TEST(PacketReader, ALongMessageIsRefusedBeforeItIsThere) {
  PacketReader reader(10);
  reader.feed(bytes_of(std::string_view("\x0B\0\0\0", 4)));
  EXPECT_EQ(next_of(reader), "error: a message of more than 10 bytes");
  PacketReader parts(kFullPacketLength + 10);
  parts.feed(bytes_of("\xFF\xFF\xFF" + std::string(kFullPacketLength + 1, '\0')));
  EXPECT_EQ(next_of(parts), "nothing yet");
  parts.feed(bytes_of(std::string_view("\x0B\0\0\1", 4)));
  EXPECT_EQ(next_of(parts), "error: a message of more than 16777225 bytes");
}

TEST(PacketReader, SequenceNumbersMustFollow) {
  PacketReader reader(10);
  reader.expect(1);
  reader.feed(bytes_of(std::string_view("\1\0\0\2a", 5)));
  EXPECT_EQ(next_of(reader), "error: a packet has the sequence number 2, not 1");
}

TEST(PacketReader, WhatWasNotReadCanBeTaken) {
  PacketReader reader(10);
  reader.feed(bytes_of(std::string_view("\1\0\0\0aTLS", 8)));
  EXPECT_EQ(next_of(reader), "a");
  EXPECT_EQ(text_of(reader.take_rest()), "TLS");
  EXPECT_EQ(text_of(reader.take_rest()), "");
}

}  // namespace
}  // namespace baton::replication
