#include "operator/api/field_reader.h"

#include <format>
#include <utility>

namespace baton::api {
namespace {

/// What an absent field reads as.
const nlohmann::json& nothing() {
  static const nlohmann::json null;
  return null;
}

}  // namespace

FieldReader::FieldReader(const nlohmann::json& object, std::string path, std::string& failure)
    : object_(&object), path_(std::move(path)), failure_(&failure) {
  if (object.is_object() || object.is_null()) return;
  if (failure.empty()) failure = std::format("{} must be an object, not {}", path_, object.type_name());
  object_ = &nothing();
}

std::string FieldReader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : std::format("{}.{}", path_, name);
}

void FieldReader::complain(std::string_view name, std::string_view wanted) const {
  if (failure_->empty()) *failure_ = std::format("{} must be {}, not {}", path_of(name), wanted, raw(name).dump());
}

const nlohmann::json& FieldReader::raw(std::string_view name) const {
  if (!object_->is_object()) return nothing();
  const auto found = object_->find(name);
  return found == object_->end() ? nothing() : *found;
}

std::string FieldReader::text(std::string_view name, std::string fallback) const {
  const nlohmann::json& value = raw(name);
  if (value.is_null()) return fallback;
  if (value.is_string()) return value.get<std::string>();
  complain(name, "text");
  return fallback;
}

std::int64_t FieldReader::number(std::string_view name, std::int64_t fallback, std::int64_t lowest,
                                 std::int64_t highest) const {
  const nlohmann::json& value = raw(name);
  if (value.is_null()) return fallback;
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (number >= lowest && number <= highest) return number;
  }
  complain(name, std::format("a whole number from {} to {}", lowest, highest));
  return fallback;
}

bool FieldReader::flag(std::string_view name, bool fallback) const {
  const nlohmann::json& value = raw(name);
  if (value.is_null()) return fallback;
  if (value.is_boolean()) return value.get<bool>();
  complain(name, "true or false");
  return fallback;
}

std::map<std::string, std::string> FieldReader::texts(std::string_view name) const {
  const nlohmann::json& value = raw(name);
  std::map<std::string, std::string> texts;
  if (value.is_null()) return texts;
  if (!value.is_object()) {
    complain(name, "an object");
    return texts;
  }
  for (const auto& [key, entry] : value.items()) {
    if (!entry.is_string() && !entry.is_number_integer()) {
      complain(name, "an object of texts and whole numbers");
      return texts;
    }
    texts.emplace(key, entry.is_string() ? entry.get<std::string>() : entry.dump());
  }
  return texts;
}

FieldReader FieldReader::child(std::string_view name) const { return {raw(name), path_of(name), *failure_}; }

}  // namespace baton::api
