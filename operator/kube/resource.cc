#include "operator/kube/resource.h"

namespace baton::kube {

std::string metadata_text(const Json& object, std::string_view name) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return {};
  const auto value = metadata->find(name);
  return value != metadata->end() && value->is_string() ? value->get<std::string>() : std::string();
}

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
