#include "operator/api/names.h"

#include <algorithm>
#include <utility>

namespace baton::api {
namespace {

bool is_lower(char character) { return character >= 'a' && character <= 'z'; }
bool is_digit(char character) { return character >= '0' && character <= '9'; }

}  // namespace

std::string Names::pod(Ordinal ordinal) const { return std::format("{}-{}", cluster_, ordinal); }

std::string Names::claim(Ordinal ordinal) const { return std::format("data-{}-{}", cluster_, ordinal); }

std::optional<Ordinal> Names::ordinal_of(std::string_view pod) const {
  for (int ordinal = 0; ordinal < kMaxMembers; ++ordinal) {
    if (pod == this->pod(Ordinal{ordinal})) return Ordinal{ordinal};
  }
  return std::nullopt;
}

Result<void> check_name(std::string_view cluster) {
  if (cluster.size() > kMaxNameLength) {
    return fail(
        ErrorKind::kTerminal,
        "the name '{}' has {} characters, but a cluster's name may have at most {}: its pods carry it in labels",
        cluster, cluster.size(), kMaxNameLength);
  }
  const bool characters = std::ranges::all_of(
      cluster, [](char character) { return is_lower(character) || is_digit(character) || character == '-'; });
  if (cluster.empty() || !characters || !is_lower(cluster.front()) || cluster.back() == '-') {
    return fail(
        ErrorKind::kTerminal,
        "the name '{}' must begin with a letter, consist of lower-case letters, digits and '-', and not end with "
        "'-': Services and pods are named after it",
        cluster);
  }
  return {};
}

}  // namespace baton::api
