// Runs of the small model in a folder: their images, messages, logs and checkpoints.
#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/reporter.h"
#include "fcm/train/run_log.h"
#include "tests/train/small_model.h"

namespace fcm::train {

// Images of stripes, one of them unreadable. With 25 images an epoch is four steps of six images.
class Stripes final : public loader::Dataset {
 public:
  explicit Stripes(int64_t size = 25) : size_(size) {}
  int64_t size() const override { return size_; }
  image::Image get(int64_t index, int64_t channels) const override {
    if (index == 24) fail(ExitCode::kData, "picture 24 is damaged");
    image::Image image{40, 40, channels, {}};
    for (int64_t i = 0; i < 40 * 40 * channels; ++i) {
      image.pixels.push_back(static_cast<uint8_t>(i / channels * (index + 1)));
    }
    return image;
  }
  int64_t label(int64_t) const override { throw std::logic_error("pretraining uses no labels"); }
  std::string name(int64_t index) const override { return std::to_string(index); }
  const std::vector<std::string>& classes() const override { return none_; }

 private:
  int64_t size_;
  std::vector<std::string> none_;
};

class Messages final : public Reporter {
 public:
  void info(const std::string& line) override { lines.push_back(line); }
  void warn(const std::string& line) override { lines.push_back("warning: " + line); }
  void progress(const std::string& line) override {
    if (on_progress) on_progress(line);  // not stored, because it contains speeds
  }

  std::vector<std::string> lines;
  std::function<void(const std::string&)> on_progress;
};

inline recipe::Recipe twelve_steps() {
  recipe::Recipe recipe = small_recipe();
  recipe.optim.epochs = 3;
  recipe.optim.warmup_epochs = 1;
  recipe.optim.micro_batch = 4;
  recipe.optim.clip_norm = 0.05;
  recipe.run.log_every_steps = 2;
  return recipe;
}

// The lines of log.jsonl without fields that depend on time and memory.
inline std::vector<nlohmann::json> log_of(const std::filesystem::path& folder) {
  std::vector<nlohmann::json> lines = read_log(folder / "log.jsonl");
  for (nlohmann::json& line : lines) {
    for (const char* key :
         {"images_per_second", "data_wait", "utilisation", "memory_bytes", "eta_seconds"}) {
      line.erase(key);
    }
  }
  return lines;
}

// The steps of the checkpoints in a run folder, in increasing order.
inline std::vector<int64_t> saved_steps(const std::filesystem::path& folder) {
  std::vector<int64_t> steps;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "checkpoints")) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-")) steps.push_back(std::stoll(name.substr(5)));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

// The name of the newest checkpoint, followed by the bytes of its weights and moments.
inline std::string last_checkpoint(const std::filesystem::path& folder) {
  const std::filesystem::path checkpoints = folder / "checkpoints";
  std::string name = read_file(checkpoints / "latest", ExitCode::kCheckpoint);
  while (!name.empty() && name.back() == '\n') name.pop_back();
  std::string bytes = name;
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    bytes += read_file(checkpoints / name / file, ExitCode::kCheckpoint);
  }
  return bytes;
}

}  // namespace fcm::train
