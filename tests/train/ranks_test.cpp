// Decisions on which the ranks of a run must agree. The ranks are threads that do not sum their
// gradients, because only the decisions are tested.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "fcm/train/loop.h"
#include "fcm/train/run_log.h"
#include "tests/dist/thread_group.h"
#include "tests/support/scratch.h"
#include "tests/train/small_run.h"

namespace fcm::train {
namespace {

namespace fs = std::filesystem;

using test::Scratch;

// 24 grey images, so an epoch is four steps of six images. With `damaged` no image can be read.
class Grey final : public loader::Dataset {
 public:
  explicit Grey(bool damaged) : damaged_(damaged) {}
  int64_t size() const override { return 24; }
  image::Image get(int64_t index, int64_t channels) const override {
    if (damaged_) fail(ExitCode::kData, "picture {} is damaged", index);
    return {40, 40, channels,
            std::vector<uint8_t>(static_cast<size_t>(40 * 40 * channels),
                                 static_cast<uint8_t>(10 * index))};
  }
  int64_t label(int64_t) const override { return -1; }
  std::string name(int64_t index) const override { return std::to_string(index); }
  const std::vector<std::string>& classes() const override { return none_; }

 private:
  bool damaged_;
  std::vector<std::string> none_;
};

recipe::Recipe eight_steps() {
  recipe::Recipe recipe = small_recipe();
  recipe.optim.epochs = 2;
  recipe.optim.warmup_epochs = 1;
  recipe.run.log_every_steps = 1;
  return recipe;
}

// Both ranks train in the same folder; `change` may make them differ.
using Change = std::function<void(int64_t rank, TrainRequest&, PretrainLearner&)>;
std::vector<TrainResult> train_two(const fs::path& out, const Change& change) {
  const recipe::Recipe recipe = eight_steps();
  std::vector<TrainResult> results(2);
  dist::test::run_ranks(2, [&](dist::Group& group) {
    const std::shared_ptr<dist::Group> shared(&group, [](dist::Group*) {});
    PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe, nullptr, shared);
    TrainRequest request;
    request.recipe = recipe;
    request.dataset = std::make_shared<Grey>(false);
    request.out = out;
    request.group = shared;
    SilentReporter silence;
    change(group.rank(), request, learner);
    results[static_cast<size_t>(group.rank())] = train(learner, request, silence);
  });
  return results;
}

TEST(Ranks, OneOfThemWritesAndEachSeesItsPartOfABatch) {
  const Scratch scratch;
  const auto results = train_two(scratch.path(), [](int64_t, TrainRequest&, PretrainLearner&) {});
  for (const TrainResult& result : results) EXPECT_EQ(result.steps, 8);
  EXPECT_EQ(read_log(scratch.path() / "log.jsonl").size(), 8 + 2);  // steps and epochs, once
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path() / "events"), {}), 1);
  // Checks only the sign: a rank's loss is the share of its three of the six images.
  const double share = read_log(scratch.path() / "log.jsonl").front().at("loss").get<double>();
  EXPECT_GT(share, 0);
}

// A run that is stopped before its first step saves nothing. Later it saves at the end of the step.
TEST(Ranks, StopTogetherWhereOneIsToldTo) {
  for (const int64_t steps : {0, 4}) {
    const Scratch scratch;
    std::atomic<bool> stop = steps == 0;
    const auto results =
        train_two(scratch.path(), [&](int64_t rank, TrainRequest& request, PretrainLearner&) {
          if (rank == 1) request.stop = &stop;
          request.measure = [&stop, rank](int64_t) {  // after an epoch of four steps
            if (rank == 1) stop = true;
            return Measured();
          };
        });
    for (const TrainResult& result : results) {
      EXPECT_TRUE(result.stopped);
      EXPECT_EQ(result.steps, steps);
    }
  }
}

// The clocks and the disks of the ranks differ, and only rank 0 writes.
TEST(Ranks, SaveWhenItIsTimeForRank0) {
  for (const int64_t hasty : {0, 1}) {
    const Scratch scratch;
    const auto results =
        train_two(scratch.path(), [hasty](int64_t rank, TrainRequest& request, PretrainLearner&) {
          request.recipe.run.keep_last = 100;
          if (rank != hasty) return;
          request.save_interval = {.seconds = 0,
                                   .largest_share = std::numeric_limits<double>::infinity()};
        });
    for (const TrainResult& result : results) EXPECT_EQ(result.steps, 8);
    const std::vector<int64_t> every{4, 6, 7, 8}, epochs{4, 8};
    EXPECT_EQ(saved_steps(scratch.path()), hasty == 0 ? every : epochs);
  }
}

TEST(Ranks, LeaveAnUpdateOutTogether) {
  const Scratch scratch;
  std::vector<int64_t> updates(2);
  train_two(scratch.path(), [&](int64_t rank, TrainRequest& request, PretrainLearner& learner) {
    request.draw_images = nullptr;
    if (rank == 1) {  // its loss is NaN from the first step on; that of rank 0 is finite
      const at::NoGradGuard no_grad;
      learner.model()
          .parameters()
          .find("mask_token")
          .value.fill_(std::numeric_limits<float>::quiet_NaN());
    }
    request.recipe.run.max_steps = 2;
    request.recipe.run.save_every_steps = 100;
    request.measure = [&updates, &learner, rank](int64_t) {
      updates[static_cast<size_t>(rank)] = learner.updates();
      return Measured{};
    };
    request.measures_last_step = true;
  });
  EXPECT_EQ(updates, (std::vector<int64_t>{0, 0}));
}

TEST(Ranks, EndTogetherWhereOneCannotReadItsImages) {
  const Scratch scratch;
  try {
    train_two(scratch.path(), [](int64_t rank, TrainRequest& request, PretrainLearner&) {
      if (rank == 1) request.dataset = std::make_shared<Grey>(true);
    });
    FAIL() << "the run was trained although rank 1 cannot read its images";
  } catch (const Error& error) {  // the error of rank 0, which could read all its images
    EXPECT_EQ(error.code(), ExitCode::kData);
    EXPECT_NE(std::string(error.what()).find("another process"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace fcm::train
