#include "fcm/interop/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/file_kind.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/json_file.h"
#include "fcm/interop/unread_tensors.h"

namespace fcm::interop {
namespace {

namespace fs = std::filesystem;
using formats::TensorFile;
using formats::TensorView;
using nlohmann::json;

constexpr std::array kWeightNames = {
    kModelFile,
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
};
constexpr std::array kWeightEndings = {".safetensors", ".bin", ".pth", ".pt", ".ckpt"};
constexpr size_t kMaxShards = 4096;

std::vector<fs::path> candidates_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const bool fits = std::find(kWeightEndings.begin(), kWeightEndings.end(),
                                entry.path().extension()) != kWeightEndings.end();
    std::error_code ignored;
    if (fits && entry.is_regular_file(ignored)) found.push_back(entry.path());
  }
  if (error) {
    fail(ExitCode::kCheckpoint, "cannot read {}: {}", folder.string(), error.message());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The pairs (tensor, file) of an index.
std::vector<std::pair<std::string, std::string>> map_of(const fs::path& index) {
  const JsonFile read = read_json_object(index);
  if (!read.fault.empty()) fail(ExitCode::kCheckpoint, "{}", read.fault);
  const json& content = read.object;
  const auto map = content.find("weight_map");
  if (map == content.end() || !map->is_object()) {
    fail(ExitCode::kCheckpoint, "{} is not an index of weights: it has no object weight_map",
         index.string());
  }
  std::vector<std::pair<std::string, std::string>> places;
  for (const auto& [tensor, file] : map->items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    const bool plain = !name.empty() && name.front() != '.' &&
                       name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
    if (!plain) {
      fail(ExitCode::kCheckpoint,
           "{}: the file of {} is {}, expected the name of a file in the same folder",
           index.string(), tensor, file.dump(-1, ' ', true, json::error_handler_t::replace));
    }
    places.emplace_back(tensor, name);
  }
  return places;
}

// A shard and the memory of its tensors.
struct Shard {
  TensorFile file;
  formats::Buffer copies;
};

Shard read_shard(const fs::path& path, int64_t threads) {
  Shard shard;
  const std::string beginning = formats::beginning_of(path);
  const auto kind = formats::weights_kind(std::as_bytes(std::span(beginning)));
  if (kind != formats::WeightsKind::kTorch) {
    shard.file = formats::read_safetensors(path, threads);
    return shard;
  }
  formats::PthFile pth = formats::read_pth(path, threads);
  refuse_unread_alone(pth, path.string());
  shard.file.tensors = std::move(pth.tensors);
  shard.file.data = std::move(pth.storage);
  shard.copies = std::move(pth.copies);
  return shard;
}

}  // namespace

namespace {

std::string why_no_weights(const fs::path& file);

// Why an index does not lead to weights; empty: it does.
std::string why_no_weights_of(const fs::path& index) {
  for (const fs::path& file : files_of_index(index)) {
    if (std::string why = why_no_weights(file); !why.empty()) {
      return fmt::format("names {}, which {}", file.filename().string(), why);
    }
  }
  return {};
}

// What a file is instead of weights, "is a Git LFS pointer ..."; empty: it begins like weights.
std::string why_no_weights(const fs::path& file) try {
  std::error_code ignored;
  if (fs::is_symlink(file, ignored) && !fs::exists(file, ignored)) {
    return fmt::format("is a link to {}, where there is nothing",
                       fs::read_symlink(file, ignored).string());
  }
  if (is_index(file)) return why_no_weights_of(file);
  const std::string beginning = formats::beginning_of(file);
  const auto bytes = std::as_bytes(std::span(beginning));
  if (formats::weights_kind(bytes) != formats::WeightsKind::kOther) return {};
  const uintmax_t size = fs::file_size(file, ignored);
  const std::string what = formats::describe_other_format(bytes, ignored ? 0 : size);
  return what.empty() ? "is not a file of weights" : "is " + what;
} catch (const Error& error) {
  return fmt::format("cannot be read ({})", error.what());
}

// Whether anything has that name, a dangling link included.
bool is_name_taken(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

}  // namespace

std::optional<FoundWeights> find_weights(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const char* name : kWeightNames) {
    if (is_name_taken(folder / name)) files.push_back(folder / name);
  }
  const bool named = !files.empty();
  if (!named) files = candidates_in(folder);
  FoundWeights found;
  std::vector<fs::path> good;
  for (const fs::path& file : files) {
    const std::string why = why_no_weights(file);
    if (why.empty()) {
      good.push_back(file);
    } else if (good.empty() || !named) {
      found.skipped.push_back(fmt::format("{} {}", file.filename().string(), why));
    }
  }
  if (good.empty() && files.empty()) return std::nullopt;
  if (!named && good.size() > 1) return std::nullopt;
  if (!named && good.empty() && files.size() > 1) return std::nullopt;
  // If none is usable, reading the first reports what is wrong.
  found.file = good.empty() ? files.front() : good.front();
  if (good.empty()) found.skipped.clear();
  return found;
}

bool is_index(const fs::path& file) { return file.string().ends_with(".index.json"); }

std::vector<fs::path> files_of_index(const fs::path& index) {
  std::vector<fs::path> files;
  std::set<std::string> seen;
  for (const auto& [tensor, file] : map_of(index)) {
    if (seen.insert(file).second) files.push_back(index.parent_path() / file);
  }
  if (files.size() > kMaxShards) {
    fail(ExitCode::kCheckpoint, "{} names {} files, more than the {} that can be read",
         index.string(), files.size(), kMaxShards);
  }
  for (const fs::path& file : files) {
    if (is_there(file, ExitCode::kCheckpoint)) continue;
    fail(ExitCode::kCheckpoint, "{} names {}, which is not beside it: download all {} files",
         index.string(), file.filename().string(), files.size());
  }
  return files;
}

TensorFile read_indexed(const fs::path& index, int64_t threads) {
  const std::vector<fs::path> files = files_of_index(index);
  std::vector<Shard> shards;
  std::map<std::string, std::string> file_of;
  size_t bytes = 0;
  for (const fs::path& path : files) {
    shards.push_back(read_shard(path, threads));
    for (const TensorView& tensor : shards.back().file.tensors) {
      bytes += tensor.bytes.size();
      const auto [place, is_new] = file_of.emplace(tensor.name, path.filename().string());
      if (!is_new) {
        fail(ExitCode::kCheckpoint, "{}: {} is in both {} and {}", index.string(), tensor.name,
             place->second, path.filename().string());
      }
    }
  }
  for (const auto& [tensor, file] : map_of(index)) {
    const auto found = file_of.find(tensor);
    if (found != file_of.end() && found->second == file) continue;
    fail(ExitCode::kCheckpoint, "{} puts {} into {}, which does not have it", index.string(),
         tensor, file);
  }
  TensorFile all;
  all.data = formats::Buffer(bytes);
  size_t at = 0;
  for (Shard& shard : shards) {
    for (TensorView& tensor : shard.file.tensors) {
      const std::span<std::byte> place = all.data.bytes().subspan(at, tensor.bytes.size());
      std::copy(tensor.bytes.begin(), tensor.bytes.end(), place.begin());
      at += tensor.bytes.size();
      all.tensors.push_back(std::move(tensor));
      all.tensors.back().bytes = place;
    }
    shard = Shard();  // frees its memory
  }
  return all;
}

std::string weights_like(const fs::path& folder) {
  std::string names;
  for (const fs::path& path : candidates_in(folder)) {
    names += (names.empty() ? "" : ", ") + path.filename().string();
  }
  return names;
}

}  // namespace fcm::interop
