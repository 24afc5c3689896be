#include "sidecar/local/gate_protocol.h"

#include <gtest/gtest.h>

namespace baton::sidecar {
namespace {

TEST(GateProtocol, MessagesComeBackHoweverTheyAreCut) {
  const std::vector<GateMessage> messages = {{"kill"},
                                             {"start", "--a=b c", "", "line\nline\n", std::string("\0x", 2)},
                                             {"exited", "17", "status", "0", std::string(2048, 'z')}};
  std::string bytes;
  for (const auto& message : messages) bytes += encode(message);
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
    GateMessageReader reader;
    std::vector<GateMessage> read;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.feed(std::string_view(bytes).substr(at, step));
      while (true) {
        const auto message = reader.next();
        ASSERT_TRUE(message) << message.error().what;
        if (!*message) break;
        read.push_back(**message);
      }
    }
    EXPECT_EQ(read, messages) << step;
  }
}

TEST(GateProtocol, GrammarAsDocumented) { EXPECT_EQ(encode({"hello", "idle"}), "2\n5\nhello\n4\nidle\n"); }

TEST(GateProtocol, WhatIsNoMessageIsCorrupt) {
  for (const std::string_view bytes :
       {"x\n", "0\n", "-1\n", "257\n", "1\n65537\n", "1\n-3\n", "1\n2\nabcd\n", "123456789", "\n", "1\n\n", "1 \n"}) {
    GateMessageReader reader;
    reader.feed(bytes);
    const auto message = reader.next();
    ASSERT_FALSE(message) << bytes;
    EXPECT_EQ(message.error().kind, ErrorKind::kCorrupt);
  }
}

}  // namespace
}  // namespace baton::sidecar
