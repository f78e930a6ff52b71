#include "tests/parity/fixtures.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "fcm/base/error.h"
#include "fcm/formats/safetensors.h"
#include "fcm/train/state.h"

namespace fcm::parity {
namespace fs = std::filesystem;

std::string Entry::stem() const {
  const std::string name = fs::path(file).filename().string();
  return name.substr(0, name.find('.'));
}

nlohmann::json read_json(const fs::path& path) {
  std::ifstream file(path);
  nlohmann::json json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!file || json.is_discarded()) fail(ExitCode::kData, "{} is not readable JSON", path.string());
  return json;
}

namespace {

std::vector<fs::path> manifests_below(const fs::path& root) {
  std::vector<fs::path> manifests;
  std::error_code failed;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (const auto& item : fs::recursive_directory_iterator(root, options, failed)) {
    if (item.path().filename() == "manifest.json") manifests.push_back(item.path());
  }
  std::sort(manifests.begin(), manifests.end());
  return manifests;
}

void add_entries(const fs::path& manifest, std::vector<Entry>& entries) {
  const nlohmann::json json = read_json(manifest);
  if (!json.is_object() || !json.contains("files") || !json.at("files").is_object()) {
    fail(ExitCode::kUsage, "{} has no object \"files\"", manifest.string());
  }
  for (const auto& [file, about] : json.at("files").items()) {
    Entry entry{manifest.parent_path(), file, about, nullptr};
    const fs::path errors = entry.path().parent_path() / (entry.stem() + ".errors.json");
    if (fs::exists(errors)) entry.errors = read_json(errors);
    entries.push_back(std::move(entry));
  }
}

}  // namespace

std::vector<Entry> find_entries(const fs::path& root) {
  std::vector<Entry> entries;
  for (const fs::path& manifest : manifests_below(root)) add_entries(manifest, entries);
  if (entries.empty()) {
    fail(ExitCode::kUsage,
         "no manifest.json with files below {}; --fixtures takes a folder with one at any depth",
         root.string());
  }
  return entries;
}

Tensors read_tensors(const fs::path& path) {
  const formats::TensorFile file = formats::read_safetensors(path);
  Tensors tensors;
  for (const formats::TensorView& view : file.tensors) {
    tensors.emplace(view.name, train::to_tensor(view));
  }
  return tensors;
}

ProceduralText parse_procedural(const std::string& text, uint64_t seed_before) {
  ProceduralText result{seed_before, {}};
  std::smatch match;
  if (std::regex_search(text, match, std::regex(R"(seed (\d+))"))) {
    result.seed = std::stoull(match[1]);
  }
  if (std::regex_search(text, match, std::regex(R"(\[([\d, ]+)\])"))) {
    const std::string list = match[1];
    const std::regex number(R"(\d+)");
    for (std::sregex_iterator at(list.begin(), list.end(), number), end; at != end; ++at) {
      result.shape.push_back(std::stoll(at->str()));
    }
  }
  if (std::regex_search(text, match, std::regex(R"(N=(\d+))")) && result.shape.empty()) {
    result.shape = {std::stoll(match[1])};
  }
  return result;
}

double number_after(const std::string& text, const std::string& words) {
  std::smatch match;
  const std::regex pattern(words + R"([ =]*([\d.]+(?:e-?\d+)?))");
  if (!std::regex_search(text, match, pattern)) {
    fail(ExitCode::kData, "the manifest's text has no number after \"{}\": {}", words, text);
  }
  return std::stod(match[1]);
}

}  // namespace fcm::parity
