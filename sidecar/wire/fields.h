#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "nlohmann/json.hpp"

/// Turns plain structs into JSON and back from one list of their fields, so that neither direction can forget one.
/// A struct S joins in by `template <class Visitor> void visit_fields(Visitor& visit, S& value)` (S may be const) that
/// calls `visit("name", value.name)` for each field. An enum E joins in by a table `enum_names(E{})` of value and name.
/// For sidecar/wire and the epoch file of sidecar/local.
namespace baton::wire {

template <class E>
struct EnumName {
  E value;
  std::string_view name;
};

template <class T>
concept Named = requires(T value) { enum_names(value); };

[[nodiscard]] inline std::unexpected<Error> wrong_type(std::string_view field, std::string_view wanted) {
  return fail(ErrorKind::kCorrupt, "field '{}' is not {}", field, wanted);
}

class FieldWriter {
 public:
  /// Every field that differs from a default-constructed struct's.
  template <class S>
  [[nodiscard]] static nlohmann::json object_of(const S& value) {
    auto object = whole_object_of(value);
    const auto defaults = whole_object_of(S{});
    for (const auto& [name, json] : defaults.items()) {
      if (const auto it = object.find(name); it != object.end() && *it == json) object.erase(it);
    }
    return object;
  }
  /// Every field.
  template <class S>
  [[nodiscard]] static nlohmann::json whole_object_of(const S& value) {
    FieldWriter writer;
    visit_fields(writer, value);
    return std::move(writer.object_);
  }

  template <class T>
  void operator()(const char* name, const T& value) {
    put(name, value);
  }

 private:
  template <class T>
  void put(const char* name, const std::optional<T>& value) {
    if (value) object_[name] = json_of(*value);
  }
  template <class T>
  void put(const char* name, const T& value) {
    object_[name] = json_of(value);
  }

  [[nodiscard]] static nlohmann::json json_of(const std::string& value) { return value; }
  [[nodiscard]] static nlohmann::json json_of(std::integral auto value) { return value; }
  template <Named E>
  [[nodiscard]] static nlohmann::json json_of(E value) {
    for (const auto& entry : enum_names(value)) {
      if (entry.value == value) return std::string(entry.name);
    }
    std::unreachable();
  }
  template <class T>
  [[nodiscard]] static nlohmann::json json_of(const std::vector<T>& values) {
    auto array = nlohmann::json::array();
    for (const auto& value : values) array.push_back(json_of(value));
    return array;
  }
  template <class S>
    requires std::is_class_v<S>
  [[nodiscard]] static nlohmann::json json_of(const S& value) {
    return object_of(value);
  }

  nlohmann::json object_ = nlohmann::json::object();
};

/// Reads the fields that are there; the others keep their defaults; unknown ones are ignored.
class FieldReader {
 public:
  /// `prefix` names the enclosing fields in errors: "sql.channel.".
  template <class S>
  [[nodiscard]] static Result<S> struct_of(const nlohmann::json& json, std::string prefix) {
    if (!json.is_object()) {
      if (!prefix.empty()) prefix.pop_back();
      return wrong_type(prefix.empty() ? "(whole)" : prefix, "an object");
    }
    FieldReader reader(json, std::move(prefix));
    S value;
    visit_fields(reader, value);
    if (reader.error_) return std::unexpected(*std::move(reader.error_));
    return value;
  }

  template <class T>
  void operator()(const char* name, T& value) {
    if (error_) return;
    const auto it = json_.find(name);
    if (it == json_.end()) return;
    if (auto result = get(*it, prefix_ + name, value); !result) error_ = std::move(result).error();
  }

 private:
  FieldReader(const nlohmann::json& json, std::string prefix) : json_(json), prefix_(std::move(prefix)) {}

  [[nodiscard]] static Result<void> get(const nlohmann::json& json, const std::string& name, std::string& value) {
    if (!json.is_string()) return wrong_type(name, "a string");
    value = json.get_ref<const std::string&>();
    return {};
  }
  [[nodiscard]] static Result<void> get(const nlohmann::json& json, const std::string& name, bool& value) {
    if (!json.is_boolean()) return wrong_type(name, "true or false");
    value = json.get<bool>();
    return {};
  }
  template <class I>
    requires std::same_as<I, std::int64_t> || std::same_as<I, int>
  [[nodiscard]] static Result<void> get(const nlohmann::json& json, const std::string& name, I& value) {
    if (!json.is_number_integer()) return wrong_type(name, "a whole number");
    const bool in_range = json.is_number_unsigned() ? std::in_range<I>(json.get<std::uint64_t>())
                                                    : std::in_range<I>(json.get<std::int64_t>());
    if (!in_range) return wrong_type(name, "a whole number within its range");
    value = json.get<I>();
    return {};
  }
  template <Named E>
  [[nodiscard]] static Result<void> get(const nlohmann::json& json, const std::string& name, E& value) {
    if (!json.is_string()) return wrong_type(name, "a string");
    for (const auto& entry : enum_names(value)) {
      if (entry.name == json.get_ref<const std::string&>()) {
        value = entry.value;
        return {};
      }
    }
    return wrong_type(name, "one of the names that it may have");
  }
  template <class T>
  [[nodiscard]] static Result<void> get(const nlohmann::json& json, const std::string& name, std::optional<T>& value) {
    T inner{};
    TRY_VOID(get(json, name, inner));
    value = std::move(inner);
    return {};
  }
  template <class T>
  [[nodiscard]] static Result<void> get(const nlohmann::json& json, const std::string& name, std::vector<T>& values) {
    if (!json.is_array()) return wrong_type(name, "a list");
    values.clear();
    for (const auto& element : json) {
      T value{};
      TRY_VOID(get(element, name + "[]", value));
      values.push_back(std::move(value));
    }
    return {};
  }
  template <class S>
    requires std::is_class_v<S>
  [[nodiscard]] static Result<void> get(const nlohmann::json& json, const std::string& name, S& value) {
    TRY(inner, struct_of<S>(json, name + "."));
    value = std::move(inner);
    return {};
  }

  const nlohmann::json& json_;
  std::string prefix_;
  std::optional<Error> error_;
};

/// Bytes to JSON, without exceptions. Errors: kCorrupt, also when longer than `limit`.
[[nodiscard]] inline Result<nlohmann::json> parse_bounded(std::string_view text, std::size_t limit) {
  if (text.size() > limit)
    return fail(ErrorKind::kCorrupt, "{} bytes are more than the {} allowed", text.size(), limit);
  auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return fail(ErrorKind::kCorrupt, "not JSON: '{}'", text.substr(0, 60));
  return json;
}

/// JSON to one line. Bytes that are not UTF-8 (a file name in an error) are replaced, never thrown about.
[[nodiscard]] inline std::string line_of(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace baton::wire
