// Any bytes as a dump request and as a registration. What is read of a set must survive its text form.

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/ensure.h"
#include "sidecar/replication/dump_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto request = baton::replication::read_dump_request(bytes)) {
    const auto again = baton::GtidSet::parse(request->have.to_string());
    ENSURE(again && *again == request->have);
  }
  if (const auto registration = baton::replication::read_registration(bytes)) ENSURE(registration->host.size() < 256);
  return 0;
}
