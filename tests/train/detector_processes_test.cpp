// A detector trained by several processes has nearly the losses of one process, and the same bits
// in every run.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "fcm/base/file.h"
#include "fcm/train/loop.h"
#include "tests/dist/processes.h"
#include "tests/support/scratch.h"
#include "tests/train/run_results.h"
#include "tests/train/small_detector.h"

namespace fcm::train {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSteps = 3;
constexpr double kRounding = 2e-5;

recipe::Recipe few_steps() {
  recipe::Recipe recipe = small_detector_recipe();
  recipe.run.max_steps = kSteps;
  return recipe;
}

void train_detector(const std::shared_ptr<dist::Group>& group, const fs::path& out,
                    const recipe::Recipe& recipe) {
  at::set_num_threads(1);
  DetectorLearner learner(small_detector(recipe), recipe, group);
  TrainRequest request;
  request.recipe = recipe;
  request.dataset = small_objects();
  request.out = out;
  request.group = group;
  SilentReporter silence;
  train(learner, request, silence);
}

// Trains with this number of processes; 0: one process without a group.
void train_as(int64_t ranks, const fs::path& out, const recipe::Recipe& recipe = few_steps()) {
  dist::test::Processes processes(std::max<int64_t>(ranks, 1), [&](const auto& group) {
    train_detector(ranks == 0 ? dist::group_of_one() : group, out, recipe);
  });
  const std::vector<int> statuses = processes.wait_for_all();
  for (size_t rank = 0; rank < statuses.size(); ++rank) {
    EXPECT_EQ(statuses[rank], 0) << processes.said(static_cast<int64_t>(rank));
  }
}

std::string weights_file(const fs::path& run) {
  return read_file(run / "checkpoints" / ("step-" + std::to_string(kSteps)) / "model.safetensors",
                   ExitCode::kData);
}

// Of four ranks, two have one image and two have two images. Losses are normalised by the images,
// regions and objects of all ranks. Running variances are not compared: with several ranks upstream
// stores the biased variance (tests/nn compares that).
TEST(DetectorProcesses, ComeToTheLossesOfOne) {
  const test::Scratch scratch;
  train_as(0, scratch / "one");
  const std::vector<double> wanted = losses_of(scratch / "one");
  ASSERT_EQ(wanted.size(), static_cast<size_t>(kSteps));
  for (const int64_t ranks : {2, 4}) {
    const fs::path out = scratch / std::to_string(ranks);
    train_as(ranks, out);
    const std::vector<double> losses = losses_of(out);
    ASSERT_EQ(losses.size(), wanted.size());
    // In the first step only rounding differs; later it can change which anchors or regions are
    // chosen.
    EXPECT_NEAR(losses[0], wanted[0], kRounding * wanted[0]) << ranks;
    for (size_t i = 1; i < losses.size(); ++i) {
      EXPECT_NEAR(losses[i], wanted[i], 2e-2 * wanted[i]) << ranks << " ranks, step " << i;
    }
  }
  // Negative control: two micro-batches, each normalised by its own three images as by ranks that
  // do not share their counts, have another loss.
  recipe::Recipe halves = few_steps();
  halves.optim.micro_batch = 3;
  train_as(0, scratch / "halves", halves);
  EXPECT_GT(std::abs(losses_of(scratch / "halves")[0] - wanted[0]), 3 * kRounding * wanted[0]);
}

TEST(DetectorProcesses, MakeTheSameBits) {
  const test::Scratch scratch;
  train_as(2, scratch / "a");
  train_as(2, scratch / "b");
  EXPECT_TRUE(weights_file(scratch / "a") == weights_file(scratch / "b"));
}

}  // namespace
}  // namespace fcm::train
