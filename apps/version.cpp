#include "apps/version.h"

#include <fmt/core.h>
#include <jpeglib.h>
#include <png.h>
#include <torch/headeronly/version.h>
#include <zlib.h>

#include <string>

#include "apps/results.h"
#include "apps/revision.h"  // made at build time
#include "fcm/config/toml_document.h"
#include "fcm/ops/cuda/device.h"
#include "fcm/ops/isa.h"

#define FCM_TEXT_OF_(x) #x
#define FCM_TEXT_OF(x) FCM_TEXT_OF_(x)

namespace fcm::apps {
namespace {

std::string dotted(int major, int minor, int patch) {
  return fmt::format("{}.{}.{}", major, minor, patch);
}

nlohmann::json cuda_facts() {
  nlohmann::json devices = nlohmann::json::array();
  for (const ops::CudaDevice& device : ops::cuda_devices()) {
    devices.push_back({{"name", device.name},
                       {"capability", fmt::format("{}.{}", device.major, device.minor)},
                       {"multiprocessors", device.multiprocessors},
                       {"memory_bytes", device.memory_bytes}});
  }
  nlohmann::json version;  // null in builds without CUDA
  if (ops::cuda_built()) version = ops::cuda_version();
  return {{"built", ops::cuda_built()}, {"version", version}, {"devices", devices}};
}

}  // namespace

nlohmann::json version_facts() {
  return {{"version", FCM_VERSION},
          {"revision", FCM_REVISION},
          {"torch", dotted(TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, TORCH_VERSION_PATCH)},
          {"cuda", cuda_facts()},
          {"cpu", {{"isa", ops::isa_name(ops::isa())}, {"bf16", ops::has_bf16_instructions()}}},
          {"libraries",
           {{"cli11", FCM_CLI11_VERSION},
            {"fmt", dotted(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
            {"jpeg", FCM_TEXT_OF(LIBJPEG_TURBO_VERSION)},
            {"nlohmann_json", dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                     NLOHMANN_JSON_VERSION_PATCH)},
            {"png", png_get_libpng_ver(nullptr)},
            {"tomlplusplus", config::toml_library_version()},
            {"zlib", zlibVersion()}}}};
}

void print_version(bool as_json) {
  nlohmann::json facts = version_facts();
  if (as_json) return print_result(facts, true);
  print_text(fmt::format("fastconvmae {} ({})\n", FCM_VERSION, FCM_REVISION));
  facts.erase("version");
  facts.erase("revision");
  print_text(as_text(facts));
}

}  // namespace fcm::apps
