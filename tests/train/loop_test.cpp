// The training loop with enqueued steps, whose results are read one step late, leaves the bits, log
// and messages of eager steps.
#include "fcm/train/loop.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/until_stopped.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "tests/support/gpu.h"
#include "tests/support/scratch.h"
#include "tests/train/small_run.h"

namespace fcm::train {
namespace {

namespace fs = std::filesystem;

using test::Scratch;

class StoredFunction final : public ops::RecordedWork {
 public:
  void record(const std::function<void()>& work) override { work_ = work; }
  void replay() override { work_(); }

 private:
  std::function<void()> work_;
};

enum class Mode { kPlain, kQueued, kRecorded };

struct LaunchOutcome {
  std::vector<nlohmann::json> log;  // without fields that depend on time and memory
  std::vector<std::string> messages;
  std::string weights_and_moments;  // of the last checkpoint
  TrainResult result;
};

using Change = std::function<void(TrainRequest&, Messages&, PretrainLearner&)>;

// Trains in `folder` and returns what the launch left there.
LaunchOutcome run(const recipe::Recipe& recipe, Mode mode, const fs::path& folder,
                  at::Device device = at::kCPU, const Change& change = {}) {
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3, device}, recipe);
  TrainRequest request;
  request.recipe = recipe;
  request.dataset = std::make_shared<Stripes>();
  request.out = folder;
  request.queued = mode != Mode::kPlain;
  if (mode == Mode::kRecorded && device.is_cuda()) request.record = ops::make_cuda_graph;
  if (mode == Mode::kRecorded && !device.is_cuda()) {
    request.record = [] { return std::make_unique<StoredFunction>(); };
  }
  Messages messages;
  if (change) change(request, messages, learner);
  LaunchOutcome outcome;
  outcome.result = train(learner, request, messages);
  outcome.log = log_of(folder);
  outcome.messages = messages.lines;
  outcome.weights_and_moments = last_checkpoint(folder);
  return outcome;
}

void expect_same(const LaunchOutcome& outcome, const LaunchOutcome& wanted) {
  EXPECT_EQ(outcome.log, wanted.log);
  EXPECT_EQ(outcome.messages, wanted.messages);
  EXPECT_EQ(outcome.weights_and_moments, wanted.weights_and_moments);
  EXPECT_EQ(outcome.result.steps, wanted.result.steps);
  EXPECT_EQ(outcome.result.loss, wanted.result.loss);
}

TEST(Loop, QueuedUpdatesLeaveTheSameBitsLogAndMessages) {
  const Scratch plain, queued, recorded;
  const LaunchOutcome wanted = run(twelve_steps(), Mode::kPlain, plain.path());
  EXPECT_EQ(wanted.result.steps, 12);
  EXPECT_FALSE(wanted.messages.empty());  // there is one about the damaged image
  expect_same(run(twelve_steps(), Mode::kQueued, queued.path()), wanted);
  expect_same(run(twelve_steps(), Mode::kRecorded, recorded.path()), wanted);
}

TEST(Loop, AnotherRateLeavesOthers) {  // negative control
  const Scratch plain, other;
  recipe::Recipe changed = twelve_steps();
  changed.optim.base_lr *= 1.01;
  const LaunchOutcome first = run(twelve_steps(), Mode::kPlain, plain.path());
  const LaunchOutcome second = run(changed, Mode::kQueued, other.path());
  EXPECT_NE(first.log, second.log);
  EXPECT_NE(first.weights_and_moments, second.weights_and_moments);
}

// Sets a weight to NaN after the checkpoint of step 4. The next steps are skipped, and then the run
// rolls back.
void spoil_at_step_4(TrainRequest& request, Messages&, PretrainLearner& learner) {
  request.draw_images = [&learner](int64_t step) {
    const at::NoGradGuard no_grad;
    at::Tensor token = learner.model().parameters().find("mask_token").value;
    if (step == 4) token.fill_(std::numeric_limits<float>::quiet_NaN());
  };
}

TEST(Loop, EnqueuedStepsRollBackAsEagerOnesDo) {
  recipe::Recipe recipe = twelve_steps();
  recipe.run.images_every_steps = 4;
  for (const int64_t patience : {1, 2, 3}) {
    recipe.run.max_skipped_in_a_row = patience;
    const Scratch plain, queued;
    const LaunchOutcome wanted = run(recipe, Mode::kPlain, plain.path(), at::kCPU, spoil_at_step_4);
    const auto bad = std::count_if(
        wanted.messages.begin(), wanted.messages.end(),
        [](const std::string& line) { return line.find("step skipped") != std::string::npos; });
    EXPECT_EQ(bad, patience);
    EXPECT_TRUE(std::isfinite(wanted.result.loss));
    expect_same(run(recipe, Mode::kQueued, queued.path(), at::kCPU, spoil_at_step_4), wanted);
  }
}

// Stops the run when step 6 is reported; step 7 may be in flight then.
void expect_stopped_and_resumed_is_whole(Mode mode, at::Device device) {
  const Scratch whole, pieces;
  const LaunchOutcome wanted = run(twelve_steps(), mode, whole.path(), device);
  std::atomic<bool> stop = false;
  const LaunchOutcome first = run(twelve_steps(), mode, pieces.path(), device,
                                  [&](TrainRequest& request, Messages& messages, PretrainLearner&) {
                                    request.stop = &stop;
                                    messages.on_progress = [&](const std::string& line) {
                                      if (line.starts_with("step 6/")) stop = true;
                                    };
                                  });
  EXPECT_TRUE(first.result.stopped);
  EXPECT_EQ(first.result.steps, mode == Mode::kPlain ? 6 : 7);
  const LaunchOutcome rest = run(twelve_steps(), mode, pieces.path(), device);
  EXPECT_EQ(rest.result.steps, 12);
  EXPECT_EQ(rest.log, wanted.log);
  EXPECT_EQ(rest.weights_and_moments, wanted.weights_and_moments);
}

TEST(Loop, StoppedAndResumedLeavesTheBitsOfOneLaunch) {
  for (const Mode mode : {Mode::kPlain, Mode::kQueued, Mode::kRecorded}) {
    expect_stopped_and_resumed_is_whole(mode, at::kCPU);
  }
}

TEST(SaveInterval, IsTenMinutesUnlessSavingWouldTakeMoreThanTwoPercent) {
  const SaveInterval interval;
  EXPECT_EQ(interval.after(0), 600);
  EXPECT_EQ(interval.after(12), 600);
  EXPECT_EQ(interval.after(13), 650);
  EXPECT_EQ(interval.after(60), 3000);
}

// A checkpoint is due as soon as the last one is written.
void save_at_once(TrainRequest& request, Messages&, PretrainLearner&) {
  request.save_interval = {.seconds = 0, .largest_share = std::numeric_limits<double>::infinity()};
}

TEST(Loop, SavesWithinAnEpochWhenTimeHasPassedAndChangesNoBit) {
  recipe::Recipe recipe = twelve_steps();
  recipe.run.keep_last = 100;
  const Scratch by_epoch;
  const LaunchOutcome wanted = run(recipe, Mode::kPlain, by_epoch.path());
  EXPECT_EQ(saved_steps(by_epoch.path()), (std::vector<int64_t>{4, 8, 12}));
  // Of the checkpoints within epochs only the newest two are left. With two steps in flight, a save
  // follows the second.
  const std::vector<int64_t> after_each{4, 8, 10, 11, 12}, after_two{4, 6, 8, 10, 12};
  for (const Mode mode : {Mode::kPlain, Mode::kQueued, Mode::kRecorded}) {
    const Scratch by_time;
    expect_same(run(recipe, mode, by_time.path(), at::kCPU, save_at_once), wanted);
    EXPECT_EQ(saved_steps(by_time.path()), mode == Mode::kPlain ? after_each : after_two);
  }
}

TEST(Loop, ARecipeThatNamesStepsSavesAtNoOther) {
  recipe::Recipe recipe = twelve_steps();
  recipe.run.keep_last = 100;
  recipe.run.save_every_steps = 5;
  const Scratch scratch;
  run(recipe, Mode::kPlain, scratch.path(), at::kCPU, save_at_once);
  EXPECT_EQ(saved_steps(scratch.path()), (std::vector<int64_t>{5, 10, 12}));
}

// Evaluates after every epoch. The evaluation of `interrupted_epoch` stops as on a stop signal.
Change measuring(int64_t interrupted_epoch) {
  return [interrupted_epoch](TrainRequest& request, Messages&, PretrainLearner&) {
    request.measures_last_step = true;
    request.measure = [interrupted_epoch](int64_t epoch) {
      if (epoch == interrupted_epoch) throw loader::StopRequested();
      return Measured{{{"measured", epoch}}, std::nullopt};
    };
  };
}

TEST(Loop, StoppedWhileItMeasuresItMeasuresAtTheNextStart) {
  const Scratch whole;
  const LaunchOutcome wanted =
      run(twelve_steps(), Mode::kPlain, whole.path(), at::kCPU, measuring(-1));
  for (const int64_t epoch : {0, 2}) {  // of 3, each of 4 steps
    const Scratch pieces;
    const LaunchOutcome first =
        run(twelve_steps(), Mode::kPlain, pieces.path(), at::kCPU, measuring(epoch));
    EXPECT_TRUE(first.result.stopped);
    EXPECT_EQ(first.result.steps, 4 * (epoch + 1));
    const LaunchOutcome second =
        run(twelve_steps(), Mode::kPlain, pieces.path(), at::kCPU, measuring(epoch));
    EXPECT_TRUE(second.result.stopped);
    EXPECT_EQ(second.result.steps, first.result.steps);
    const LaunchOutcome rest =
        run(twelve_steps(), Mode::kPlain, pieces.path(), at::kCPU, measuring(-1));
    EXPECT_FALSE(rest.result.stopped);
    EXPECT_EQ(rest.result.steps, 12);
    EXPECT_EQ(rest.log, wanted.log);
    EXPECT_EQ(rest.weights_and_moments, wanted.weights_and_moments);
    const LaunchOutcome again =
        run(twelve_steps(), Mode::kPlain, pieces.path(), at::kCPU, measuring(0));
    EXPECT_EQ(again.log, wanted.log) << "each epoch must be evaluated once";
  }
}

class GpuLoop : public test::GpuTest {};

TEST_F(GpuLoop, GraphAndSingleOperatorsLeaveTheSameBitsLogAndMessages) {
  const Scratch queued, recorded;
  expect_same(run(twelve_steps(), Mode::kRecorded, recorded.path(), at::kCUDA),
              run(twelve_steps(), Mode::kQueued, queued.path(), at::kCUDA));
}

TEST_F(GpuLoop, StoppedAndResumedLeavesTheBitsOfOneLaunch) {
  expect_stopped_and_resumed_is_whole(Mode::kRecorded, at::kCUDA);
}

}  // namespace
}  // namespace fcm::train
