// Runs of a small model by several processes.
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/file.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "fcm/train/loop.h"
#include "tests/dist/processes.h"
#include "tests/train/small_run.h"

namespace fcm::train {

// An epoch is five steps of eight images. One of the 40 images is unreadable.
inline recipe::Recipe twenty_steps() {
  recipe::Recipe recipe = small_recipe();
  recipe.optim.batch_size = 8;
  recipe.optim.epochs = 4;
  recipe.optim.warmup_epochs = 1;
  recipe.optim.clip_norm = 1;
  recipe.run.log_every_steps = 1;
  recipe.run.max_steps = 20;
  recipe.data.max_bad_share = 0.5;
  return recipe;
}

using ChangeOfRank = std::function<void(dist::Group&, recipe::Recipe&, PretrainLearner&)>;

inline void train_rank(const std::shared_ptr<dist::Group>& group, const std::filesystem::path& out,
                       const recipe::Recipe& asked, const ChangeOfRank& change) {
  at::set_num_threads(1);
  recipe::Recipe recipe = asked;
  std::unique_ptr<targets::Teachers> teachers;
  if (recipe.pretrain().targets.ema > 0) {
    teachers =
        std::make_unique<targets::Teachers>(recipe.pretrain().targets, recipe::student_of(recipe));
  }
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe, std::move(teachers),
                          group);
  if (change) change(*group, recipe, learner);
  TrainRequest request;
  request.recipe = recipe;
  request.dataset = std::make_shared<Stripes>(40);
  request.out = out;
  request.group = group;
  SilentReporter silence;
  train(learner, request, silence);
}

// Trains in `out` with `ranks` processes; 0: one process without a group. `placed` changes the
// placement that the ranks are told, for example to several machines.
inline void train_in(const std::filesystem::path& out, int64_t ranks,
                     const recipe::Recipe& recipe = twenty_steps(), const ChangeOfRank& change = {},
                     const dist::test::Processes::ChangePlacement& placed = {}) {
  dist::test::Processes processes(
      std::max<int64_t>(ranks, 1),
      [&](const auto& group) {
        train_rank(ranks == 0 ? dist::group_of_one() : group, out, recipe, change);
      },
      placed);
  const std::vector<int> statuses = processes.wait_for_all();
  for (size_t rank = 0; rank < statuses.size(); ++rank) {
    EXPECT_EQ(statuses[rank], 0) << processes.said(static_cast<int64_t>(rank));
  }
}

inline std::string bits_of(const std::filesystem::path& run, int64_t step = 20) {
  const std::filesystem::path folder = run / "checkpoints" / ("step-" + std::to_string(step));
  return read_file(folder / "model.safetensors", ExitCode::kData) +
         read_file(folder / "optimizer.safetensors", ExitCode::kData);
}

}  // namespace fcm::train
