// Runs of every kind, each trained once, and their checkpoints in every form. paths_long_test.cpp
// runs every command on them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/image.h"
#include "fcm/interop/load_any.h"
#include "fcm/loader/dataset.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/tasks/tasks.h"
#include "tests/tasks/child.h"
#include "tests/tasks/scenes.h"

namespace fcm::paths {

namespace fs = std::filesystem;
using nlohmann::json;
using Settings = std::vector<std::string>;

inline const tasks::MachineOptions kMachine{"cpu", 2, {}, true};
inline const fs::path kRecipes = fs::path(FCM_SOURCE_DIR) / "recipes";

// How to train a run. If `start` is empty, the run is pretraining by `recipe`; otherwise it trains
// a classifier, probe, segmenter or detector from the run named `start`.
struct Origin {
  std::string name, recipe;
  Settings set;
  std::string start;

  bool segments() const { return recipe == "smoke_segment"; }
  bool detects() const { return recipe == "smoke_detect"; }
};

inline void PrintTo(const Origin& origin, std::ostream* out) { *out << origin.name; }

// A form of a run's checkpoint. If `to` is empty, the form is the run folder, or its newest step
// folder if `inside` is set. Otherwise it is the output of `checkpoint convert --to`, a file or
// folder whose name ends in `ending`.
struct CheckpointForm {
  std::string name, to, ending, inside;
};

// One whole epoch of pretraining, because some formats count epochs only.
inline constexpr int kImages = 64, kBatch = 8, kSteps = kImages / kBatch;

inline Settings pretraining_settings(const Settings& more, int steps = kSteps) {
  Settings settings = {"optim.batch_size=8",    "optim.micro_batch=8",
                       "optim.epochs=2",        "run.save_every_steps=4",
                       "run.log_every_steps=4", fmt::format("run.max_steps={}", steps)};
  settings.insert(settings.end(), more.begin(), more.end());
  return settings;
}

inline tasks::RunRequest pretraining(const Origin& origin, const std::string& data,
                                     const fs::path& out, int steps = kSteps) {
  tasks::RunRequest request;
  request.recipe = recipe::load_pretraining_recipe(origin.recipe, {kRecipes},
                                                   pretraining_settings(origin.set, steps));
  request.data = data;
  request.out = out;
  request.machine = kMachine;
  return request;
}

inline tasks::FinetuneRequest downstream(const Origin& origin, const std::string& data,
                                         const fs::path& checkpoint, const fs::path& out,
                                         int steps = 3) {
  Settings settings = {"optim.batch_size=8", "optim.micro_batch=8",
                       fmt::format("run.max_steps={}", steps), "run.log_every_steps=3"};
  settings.insert(settings.end(), origin.set.begin(), origin.set.end());
  tasks::FinetuneRequest request;
  request.recipe = recipe::load_supervised_recipe(origin.recipe, {kRecipes}, settings);
  request.data = data;
  request.checkpoint = checkpoint;
  request.out = out;
  request.machine = kMachine;
  return request;
}

// A hash of names, shapes, types and bytes, independent of the order of tensors.
inline json fingerprint(const std::vector<formats::TensorView>& tensors) {
  size_t sum = 0;
  for (const formats::TensorView& tensor : tensors) {
    const std::string_view bytes(reinterpret_cast<const char*>(tensor.bytes.data()),
                                 tensor.bytes.size());
    const std::string facts =
        fmt::format("{} {} {}", tensor.name, tensor.dtype, json(tensor.shape).dump());
    sum += std::hash<std::string_view>()(facts) ^ (std::hash<std::string_view>()(bytes) * 31);
  }
  return {{"tensors", tensors.size()}, {"sum", sum}};
}

inline json weights_of(const fs::path& checkpoint) {
  SilentReporter silence;
  return fingerprint(interop::load_any(checkpoint, false, silence).model.tensors);
}

// Synthetic images, few enough to read thousands of times.
inline void write_images(const fs::path& folder) {
  for (const auto& [split, name, count] : {std::tuple{loader::Split::kTrain, "train", kImages},
                                           std::tuple{loader::Split::kVal, "val", 32}}) {
    const auto drawn = loader::open_dataset("synthetic", split, {});
    for (int i = 0; i < count; ++i) {
      const auto kind = drawn->classes()[static_cast<size_t>(drawn->label(i))];
      fs::create_directories(folder / name / kind);
      image::write_png(folder / name / kind / fmt::format("{:03}.png", i), drawn->get(i, 3));
    }
  }
}

// Runs and their checkpoint forms, created on first use.
class RunCache {
 public:
  explicit RunCache(std::vector<Origin> origins) : origins_(std::move(origins)) {
    write_images(scratch_ / "pictures");
    tests::write_scenes(scenes());
    tests::write_objects(objects());
  }

  std::string data() const { return scratch_ / "pictures"; }
  std::string scenes() const { return scratch_ / "scenes"; }
  std::string objects() const { return scratch_ / "objects"; }
  // The data that a run trains and evaluates on.
  std::string data_of(const Origin& origin) const {
    return origin.segments() ? scenes() : origin.detects() ? objects() : data();
  }
  // A new path at which nothing exists.
  fs::path fresh(const std::string& ending = "") {
    return scratch_ / fmt::format("out-{}{}", ++fresh_, ending).c_str();
  }

  const Origin& origin(const std::string& name) const {
    const auto found = std::find_if(origins_.begin(), origins_.end(),
                                    [&](const Origin& one) { return one.name == name; });
    require(found != origins_.end(), "no origin {}", name);
    return *found;
  }

  const fs::path& run(const std::string& name) {
    const auto [place, is_new] = runs_.try_emplace(name);
    if (!is_new) return place->second;
    const Origin& origin = this->origin(name);
    place->second = fresh();
    if (origin.start.empty()) {
      tasks::pretrain(pretraining(origin, data(), place->second), silence_);
    } else {
      tasks::finetune(downstream(origin, data_of(origin), run(origin.start), place->second),
                      silence_);
    }
    return place->second;
  }

  // The result is nullopt if the run cannot be converted to that form; the convert cells test the
  // refusal.
  std::optional<fs::path> checkpoint(const std::string& name, const CheckpointForm& form) {
    if (form.to.empty()) return form.inside.empty() ? run(name) : step_of(name);
    const auto [place, is_new] = forms_.try_emplace({name, form.name});
    if (is_new) {
      const fs::path out = fresh(form.ending);
      try {
        tasks::convert_checkpoint({{run(name), {}, {}}, form.to, out, false}, silence_);
        place->second = out;
      } catch (const Error&) {
      }
    }
    return place->second;
  }

 private:
  fs::path step_of(const std::string& name) {
    return interop::load_any(run(name), false, silence_).path;
  }

  tests::Scratch scratch_;
  SilentReporter silence_;
  std::vector<Origin> origins_;
  std::map<std::string, fs::path> runs_;
  std::map<std::pair<std::string, std::string>, std::optional<fs::path>> forms_;
  int fresh_ = 0;
};

}  // namespace fcm::paths
