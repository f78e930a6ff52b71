#include "fcm/interop/about.h"

#include <nlohmann/json.hpp>

#include "fcm/checkpoint/checkpoint.h"

namespace fcm::interop {
namespace {

using nlohmann::json;

void copy_about(const json& from, json& to) {
  for (const char* name : checkpoint::kAbout) {
    if (from.contains(name) && from.at(name).is_object()) to[name] = from.at(name);
  }
}

}  // namespace

std::string about_text(const json& state) {
  json about = json::object();
  if (state.is_object()) copy_about(state, about);
  if (about.empty()) return {};
  return about.dump(-1, ' ', false, json::error_handler_t::replace);
}

void read_about(const std::string& text, json& state) {
  const json about = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (about.is_object()) copy_about(about, state);
}

}  // namespace fcm::interop
