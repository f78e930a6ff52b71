// Folders with stored results of the upstream programs: manifests, and the tensors they describe.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fcm::parity {

using Tensors = std::map<std::string, at::Tensor>;

// One file of a manifest.
struct Entry {
  std::filesystem::path folder;  // of the manifest
  std::string file;              // relative to it
  nlohmann::json about;          // the manifest's object for this file
  nlohmann::json errors;         // <stem>.errors.json next to it, or null

  std::string kind() const { return about.value("kind", ""); }
  std::filesystem::path path() const { return folder / file; }
  // The file's name up to its first dot; the files of one model share it.
  std::string stem() const;
};

// Every entry of every manifest.json below `root`, in the order of folders and files. Throws
// Error(kUsage) if there is none, or if one is invalid.
std::vector<Entry> find_entries(const std::filesystem::path& root);

// All tensors of a .safetensors file, in their own dtypes. Throws Error(kCheckpoint).
Tensors read_tensors(const std::filesystem::path& path);

// Throws Error(kData).
nlohmann::json read_json(const std::filesystem::path& path);

// Seed and shape in a text such as `procedural "images", seed 11, [2,3,224,224]`. Without a seed in
// the text, the seed is `seed_before`; without brackets, the shape is empty, or {n} after "N=n".
struct ProceduralText {
  uint64_t seed = 0;
  std::vector<int64_t> shape;
};
ProceduralText parse_procedural(const std::string& text, uint64_t seed_before);

// The number after these words in a manifest's text ("warmup 4", "layer_decay=.65"). Throws
// Error(kData) if there is none.
double number_after(const std::string& text, const std::string& words);

}  // namespace fcm::parity
