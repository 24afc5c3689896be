#include "sidecar/mysql/password_mark.h"

#include <gtest/gtest.h>

namespace baton::sidecar {
namespace {

TEST(PasswordMark, FitsItsOwnPasswordAlone) {
  const std::string mark = password_mark("secret");
  EXPECT_TRUE(is_mark_of(mark, "secret"));
  EXPECT_FALSE(is_mark_of(mark, "Secret"));
  EXPECT_FALSE(is_mark_of(mark, ""));
  EXPECT_NE(password_mark("secret"), mark) << "each has a salt of its own";
  EXPECT_FALSE(mark.contains("secret"));
  EXPECT_TRUE(is_mark_of(password_mark(""), ""));
}

TEST(PasswordMark, WhatIsNoneFitsNothing) {
  const std::string mark = password_mark("secret");
  for (const std::string& other : {std::string(), std::string(":"), mark.substr(1), mark.substr(0, mark.size() - 1),
                                   mark + "0", mark.substr(0, 32)}) {
    EXPECT_FALSE(is_mark_of(other, "secret")) << other;
  }
}

}  // namespace
}  // namespace baton::sidecar
