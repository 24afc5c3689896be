#pragma once

#include <format>
#include <string>
#include <string_view>
#include <vector>

#include "operator/ports/ports.h"

namespace baton::test {

/// Events as lines, `reason: message`. For one thread.
class ToldEvents final : public EventPort {
 public:
  void tell(const ClusterKey&, bool, std::string_view reason, std::string_view message) override {
    told.push_back(std::format("{}: {}", reason, message));
  }
  std::vector<std::string> told;
};

}  // namespace baton::test
