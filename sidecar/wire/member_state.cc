#include "sidecar/wire/member_state.h"

#include "sidecar/wire/member_state_fields.h"

namespace baton::wire {
namespace {

/// Longest line read. GTID sets of a much-tagged cluster take kilobytes; this keeps a wrong peer from filling memory.
constexpr std::size_t kMaxLine = 4 * 1024 * 1024;

}  // namespace

std::string to_line(const MemberState& state) { return line_of(FieldWriter::object_of(state)); }

Result<MemberState> parse_member_state(std::string_view line) {
  TRY(json, parse_bounded(line, kMaxLine));
  return FieldReader::struct_of<MemberState>(json, "");
}

}  // namespace baton::wire
