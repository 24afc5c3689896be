#include "sidecar/local/last_words.h"

#include <gtest/gtest.h>

namespace baton::sidecar {
namespace {

TEST(LastWords, AreTheErrorLinesTexts) {
  EXPECT_EQ(last_words("8-26T10:00:00.1Z 0 [Warning] [MY-010068] [Server] CA certificate ca.crt is self signed.\n"
                       "2026-08-26T10:00:00.2Z 0 [System] [MY-013576] [InnoDB] InnoDB initialization has started.\n"
                       "2026-08-26T10:00:00.3Z 0 [ERROR] [MY-000067] [Server] unknown variable 'sink_binlog=1'.\n"
                       "2026-08-26T10:00:00.3Z 0 [ERROR] [MY-010119] [Server] Aborting\n"
                       "2026-08-26T10:00:00.4Z 0 [System] [MY-010910] [Server] mysqld: Shutdown complete.\n"),
            "unknown variable 'sink_binlog=1'. (MY-000067)");
  EXPECT_EQ(last_words("t 0 [ERROR] [MY-1] [InnoDB] one\nt 0 [ERROR] [MY-2] [Server] two\n"), "one (MY-1); two (MY-2)");
  EXPECT_EQ(last_words("t 0 [ERROR] [MY-010119] [Server] Aborting\n"), "Aborting (MY-010119)");
  EXPECT_EQ(last_words("mysqld: [ERROR] Could not open required defaults file"),
            "Could not open required defaults file");
}

TEST(LastWords, AreTheSignalOrTheLastLineWithoutAnError) {
  EXPECT_EQ(
      last_words("2026-08-26T10:00:00Z UTC - mysqld got signal 11 ;\nMost likely, you have hit a bug\nfind out\n"),
      "2026-08-26T10:00:00Z UTC - mysqld got signal 11 ;");
  EXPECT_EQ(last_words("one\ntwo\tparts\r\n\n"), "two parts");
  EXPECT_EQ(last_words(""), "");
  EXPECT_EQ(last_words("\n \n"), "");
}

TEST(LastWords, AreBounded) {
  std::string tail;
  for (int i = 0; i < 30; ++i) tail += "t 0 [ERROR] [MY-7] [Server] a sentence of some thirty bytes\n";
  tail += "t 0 [ERROR] [MY-8] [Server] the last\n";
  const std::string words = last_words(tail);
  EXPECT_LE(words.size(), kMaxLastWords);
  EXPECT_GT(words.size(), kMaxLastWords - 60);
  EXPECT_TRUE(words.starts_with("a sentence")) << words;
  EXPECT_TRUE(words.ends_with("; the last (MY-8)")) << words;
  // An odd offset, so that the cut falls into a character.
  const std::string cut = last_words("x" + std::string(kMaxLastWords - 2, 'y') + "é");
  EXPECT_EQ(cut, "x" + std::string(kMaxLastWords - 2, 'y'));
}

}  // namespace
}  // namespace baton::sidecar
