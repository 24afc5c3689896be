#include "operator/kube/resource.h"

namespace baton::kube {

const Json& value_at(const Json& object, std::initializer_list<std::string_view> names) {
  static const Json kNull;
  const Json* value = &object;
  for (const std::string_view name : names) {
    if (!value->is_object()) return kNull;
    const auto it = value->find(name);
    if (it == value->end()) return kNull;
    value = &*it;
  }
  return *value;
}

std::string text_at(const Json& object, std::initializer_list<std::string_view> names) {
  const Json& value = value_at(object, names);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::string metadata_text(const Json& object, std::string_view name) { return text_at(object, {"metadata", name}); }

Result<ObjectKey> key_of(const Json& object) {
  if (!object.is_object()) return fail(ErrorKind::kCorrupt, "an object of the API server is no JSON object");
  ObjectKey key{metadata_text(object, "namespace"), metadata_text(object, "name")};
  if (key.name.empty()) return fail(ErrorKind::kCorrupt, "an object of the API server has no name");
  return key;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kMarks = "-._~";
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.contains(c);
    result += plain ? std::string(1, c) : std::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

std::string collection_path(const ResourceType& type, const std::string& space) {
  std::string path = type.group.empty() ? "/api/" + type.version : "/apis/" + type.group + "/" + type.version;
  if (type.namespaced && !space.empty()) path += "/namespaces/" + percent_encode(space);
  return path + "/" + type.plural;
}

std::string object_path(const ResourceType& type, const ObjectKey& key, std::string_view subresource) {
  auto path = collection_path(type, key.space) + "/" + percent_encode(key.name);
  if (!subresource.empty()) path.append("/").append(subresource);
  return path;
}

}  // namespace baton::kube
