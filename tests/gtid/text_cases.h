#pragma once

#include <array>
#include <string>
#include <string_view>

namespace baton::test {

/// What the server makes of a text: `canonical` is what SELECT GTID_SUBTRACT(text, '') prints (line ends left out), or
/// kRefused for error 1772. Taken from mysqld 9.7.4; gtid_mysql_test asks the server of this machine again.
/// To keep lines short, U stands for aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee in upper case (in `text`) or lower case (in
/// `canonical`), Z for 00000000-0000-0000-0000-000000000001.
struct TextCase {
  std::string_view text;
  std::string_view canonical;
};
inline constexpr std::string_view kRefused = "refused";

inline constexpr auto kTextCases = std::to_array<TextCase>({
    // Numbers and intervals.
    {"U:1-5", "U:1-5"},
    {"U:1-3:4-6", "U:1-6"},
    {"U:1:5:2:9:3", "U:1-3:5:9"},
    {"U:5-3", ""},
    {"U:5-0", ""},
    {"U:1-00", ""},
    {"U:0", kRefused},
    {"U:00", kRefused},
    {"U:0-5", kRefused},
    {"U:010", "U:10"},
    {"U:0000000005", "U:5"},
    {"U:0x10", kRefused},
    {"U:+5", kRefused},
    {"U:-5", kRefused},
    {"U:1.5", kRefused},
    {"U:1-", kRefused},
    {"U:1--3", kRefused},
    {"U:1-2-3", kRefused},
    {"U:1-+5", kRefused},
    {"U:9223372036854775806", "U:9223372036854775806"},
    {"U:9223372036854775807", kRefused},
    {"U:1-9223372036854775806", "U:1-9223372036854775806"},
    {"U:1-9223372036854775807", kRefused},
    {"U:1-99999999999999999999", kRefused},
    // Empty parts.
    {"", ""},
    {"   ", ""},
    {",,,", ""},
    {"U", ""},
    {"U:1,U", "U:1"},
    {"U:1,", "U:1"},
    {",,U:1,,Z:2,", "Z:2,U:1"},
    {"U:", kRefused},
    {"U::1", kRefused},
    {"U: :1", kRefused},
    {"U:1::2", kRefused},
    // White space.
    {" U : 5", "U:5"},
    {"U\n:1", "U:1"},
    {"U: 5 - 7 : 9 ", "U:5-7:9"},
    {"U:1 -\t3\n,\nZ:1", "Z:1,U:1-3"},
    {", , U:1 , , Z:2 ,", "Z:2,U:1"},
    {"U:1\v:2\f:3\r", "U:1-3"},
    {"U:5 6", kRefused},
    {"U 1", kRefused},
    {"U:1 Z:1", kRefused},
    // Forms of a uuid.
    {"{U}:1", "U:1"},
    {"AAAAAAAABBBBCCCCDDDDEEEEEEEEEEEE:1", "U:1"},
    {"{AAAAAAAABBBBCCCCDDDDEEEEEEEEEEEE}:1", kRefused},
    {"AAAAAAAABBBB-CCCC-DDDD-EEEEEEEEEEEE:1", kRefused},
    {"{U:1", kRefused},
    {"xU:1", kRefused},
    {"U1:1", kRefused},
    {"U:1;", kRefused},
    {"+U:1", kRefused},
    {"ANONYMOVS", kRefused},
    // Tags.
    {"U:tag:1", "U:tag:1"},
    {"U:Tag:1", "U:tag:1"},
    {"U:tag", ""},
    {"U:tag:", kRefused},
    {"U:tag:tag2:1", "U:tag2:1"},
    {"U: tag : 1", "U:tag:1"},
    {"U:\t tag:\n1", "U:tag:1"},
    {"U:tag : : 1", kRefused},
    {"U:tag:1:2-3:1tag:4", kRefused},
    {"U:tag 1:1", kRefused},
    {"U:1:tag-a:2", kRefused},
    {"U:_a:1:b_1:2", "U:_a:1:b_1:2"},
    {"U:tag45678901234567890123456789012:1", "U:tag45678901234567890123456789012:1"},
    {"U:tag456789012345678901234567890123:1", kRefused},
    {"U:tag:5-3", ""},
    {"U:tag:1,U:3", "U:3:tag:1"},
    {"U:tag:1-5:tag:6", "U:tag:1-6"},
    {"U:3:tag:1:b:2:tag:7", "U:3:b:2:tag:1:7"},
    {"Z:5,U:1:a:1:A:2:_b:3:a0:4:a_:5:ab:6", "Z:5,U:1:_b:3:a:1-2:a0:4:a_:5:ab:6"},
    {"U:a:1,Z:a:1,U:1", "Z:a:1,U:1:a:1"},
});

/// A text of the table with the letters U and Z spelt out.
inline std::string spelt_out(std::string_view text, bool upper_case) {
  std::string whole;
  for (const char c : text) {
    if (c == 'U') {
      whole += upper_case ? "AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE" : "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
    } else if (c == 'Z') {
      whole += "00000000-0000-0000-0000-000000000001";
    } else {
      whole += c;
    }
  }
  return whole;
}

}  // namespace baton::test
