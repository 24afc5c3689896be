#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace baton::api {

/// Reads the fields of one JSON object, absent and null ones as their fallback. The first field of a wrong type leaves
/// a sentence in `failure`, which all readers of one document share; so a reader's caller checks once, at the end. The
/// object and `failure` must outlive the reader.
class FieldReader {
 public:
  FieldReader(const nlohmann::json& object, std::string path, std::string& failure);

  [[nodiscard]] std::string text(std::string_view name, std::string fallback = {}) const;
  [[nodiscard]] std::int64_t number(std::string_view name, std::int64_t fallback, std::int64_t lowest,
                                    std::int64_t highest) const;
  [[nodiscard]] bool flag(std::string_view name, bool fallback) const;
  /// An object of strings and whole numbers, the numbers as text.
  [[nodiscard]] std::map<std::string, std::string> texts(std::string_view name) const;
  /// The value as it is; null if absent.
  [[nodiscard]] const nlohmann::json& raw(std::string_view name) const;
  [[nodiscard]] FieldReader child(std::string_view name) const;
  /// Calls read(FieldReader) for each object of an array.
  template <class Read>
  void each(std::string_view name, Read read) const {
    const nlohmann::json& array = raw(name);
    if (array.is_null()) return;
    if (!array.is_array()) return complain(name, "a list");
    for (std::size_t index = 0; index < array.size(); ++index) {
      read(FieldReader(array[index], path_of(name) + "[" + std::to_string(index) + "]", *failure_));
    }
  }
  [[nodiscard]] std::string path_of(std::string_view name) const;

 private:
  void complain(std::string_view name, std::string_view wanted) const;

  const nlohmann::json* object_;
  std::string path_;
  std::string* failure_;
};

}  // namespace baton::api
