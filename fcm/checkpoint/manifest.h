// manifest.json of a step folder: the files of the step with size and hash, and the state. Private
// to this folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "fcm/formats/tensor_io.h"

namespace fcm::checkpoint {

constexpr const char* kFormat = "fastconvmae checkpoint";  // the value of "format" in manifest.json
constexpr const char* kManifestFile = "manifest.json";
constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";

struct Manifest {
  int64_t step = 0;
  // Counts the saves into this run folder. The newest checkpoint has the highest sequence, even if
  // the run has gone back to an earlier step.
  int64_t sequence = 0;
  std::map<std::string, formats::FileRecord> files;  // exactly the two tensor files
  nlohmann::json state;
};

// The text of manifest.json. Throws Error(kCheckpoint) for a state that JSON cannot hold (NaN,
// infinity, text that is not UTF-8), or that is nested too deeply for parse_manifest().
std::string to_text(const Manifest& manifest);

// Throws Error(kCheckpoint) that names `file` and the violated rule. Verifies the manifest's own
// checksum, which detects every changed value.
Manifest parse_manifest(const std::string& text, const std::string& file);

// Reads <step_folder>/manifest.json.
Manifest read_manifest(const std::filesystem::path& step_folder);

}  // namespace fcm::checkpoint
