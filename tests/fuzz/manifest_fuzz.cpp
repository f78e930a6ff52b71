// manifest.json of a checkpoint: as it is, and with a corrected checksum, so that the checks after
// the checksum are reached too.
#include <algorithm>
#include <cstdint>
#include <string>

#include "fcm/base/error.h"
#include "fcm/checkpoint/manifest.h"
#include "fcm/formats/digest.h"

namespace {

void parse(const std::string& text) {
  try {
    fcm::checkpoint::parse_manifest(text, "fuzz");
  } catch (const fcm::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using nlohmann::json;
  const std::string text(reinterpret_cast<const char*>(data), size);
  parse(text);
  const auto opens = std::count_if(text.begin(), text.end(),
                                   [](char letter) { return letter == '[' || letter == '{'; });
  if (opens > 64) return 0;  // json's dump() recurses and would overflow the stack
  json tree = json::parse(text, nullptr, false);
  if (!tree.is_object()) return 0;
  tree.erase("checksum");
  tree["checksum"] = fcm::formats::digest_of(tree.dump());
  parse(tree.dump());
  return 0;
}
