// The loop with results that are read one update later: the same bits, log and messages as without.
#include "fcm/train/loop.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "fcm/train/run_log.h"
#include "tests/support/gpu.h"
#include "tests/support/scratch.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

namespace fs = std::filesystem;

using test::Scratch;

// 25 pictures of stripes, the last of which cannot be read: four steps of six make an epoch.
class Stripes final : public loader::Dataset {
 public:
  int64_t size() const override { return 25; }
  image::Image get(int64_t index, int64_t channels) const override {
    if (index == 24) fail(ExitCode::kData, "picture 24 is damaged");
    image::Image picture{40, 40, channels, {}};
    for (int64_t i = 0; i < 40 * 40 * channels; ++i) {
      picture.pixels.push_back(static_cast<uint8_t>(i / channels * (index + 1)));
    }
    return picture;
  }
  int64_t label(int64_t) const override { throw std::logic_error("pretraining uses no labels"); }
  std::string name(int64_t index) const override { return std::to_string(index); }
  const std::vector<std::string>& classes() const override { return none_; }

 private:
  std::vector<std::string> none_;
};

class Messages final : public Reporter {
 public:
  void info(const std::string& line) override { lines.push_back(line); }
  void warn(const std::string& line) override { lines.push_back("warning: " + line); }
  void progress(const std::string& line) override {
    if (on_progress) on_progress(line);  // has speeds in it
  }

  std::vector<std::string> lines;
  std::function<void(const std::string&)> on_progress;
};

class KeptFunction final : public ops::RecordedWork {
 public:
  void record(const std::function<void()>& work) override { work_ = work; }
  void replay() override { work_(); }

 private:
  std::function<void()> work_;
};

enum class Mode { kPlain, kQueued, kRecorded };

struct Ran {
  std::vector<nlohmann::json> log;  // without what time and memory decide
  std::vector<std::string> messages;
  std::string weights_and_moments;  // of the last checkpoint
  TrainResult result;
};

recipe::Recipe twelve_steps() {
  recipe::Recipe recipe = small_recipe();
  recipe.optim.epochs = 3;
  recipe.optim.warmup_epochs = 1;
  recipe.optim.micro_batch = 4;
  recipe.optim.clip_norm = 0.05;
  recipe.run.log_every_steps = 2;
  return recipe;
}

std::vector<nlohmann::json> log_of(const fs::path& folder) {
  std::vector<nlohmann::json> lines = read_log(folder / "log.jsonl");
  for (nlohmann::json& line : lines) {
    for (const char* key :
         {"images_per_second", "data_wait", "utilisation", "memory_bytes", "eta_seconds"}) {
      line.erase(key);
    }
  }
  return lines;
}

std::string last_checkpoint(const fs::path& folder) {
  const fs::path checkpoints = folder / "checkpoints";
  std::string name = read_file(checkpoints / "latest", ExitCode::kCheckpoint);
  while (!name.empty() && name.back() == '\n') name.pop_back();
  std::string bytes = name;
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    bytes += read_file(checkpoints / name / file, ExitCode::kCheckpoint);
  }
  return bytes;
}

using Change = std::function<void(TrainRequest&, Messages&, PretrainLearner&)>;

// What a launch left in `folder`.
Ran run(const recipe::Recipe& recipe, Mode mode, const fs::path& folder,
        at::Device device = at::kCPU, const Change& change = {}) {
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3, device}, recipe);
  TrainRequest request;
  request.recipe = recipe;
  request.dataset = std::make_shared<Stripes>();
  request.out = folder;
  request.queued = mode != Mode::kPlain;
  if (mode == Mode::kRecorded && device.is_cuda()) request.record = ops::make_cuda_graph;
  if (mode == Mode::kRecorded && !device.is_cuda()) {
    request.record = [] { return std::make_unique<KeptFunction>(); };
  }
  Messages messages;
  if (change) change(request, messages, learner);
  Ran ran;
  ran.result = train(learner, request, messages);
  ran.log = log_of(folder);
  ran.messages = messages.lines;
  ran.weights_and_moments = last_checkpoint(folder);
  return ran;
}

void expect_same(const Ran& ran, const Ran& wanted) {
  EXPECT_EQ(ran.log, wanted.log);
  EXPECT_EQ(ran.messages, wanted.messages);
  EXPECT_EQ(ran.weights_and_moments, wanted.weights_and_moments);
  EXPECT_EQ(ran.result.steps, wanted.result.steps);
  EXPECT_EQ(ran.result.loss, wanted.result.loss);
}

TEST(Loop, QueuedUpdatesLeaveTheSameBitsLogAndMessages) {
  const Scratch plain, queued, recorded;
  const Ran wanted = run(twelve_steps(), Mode::kPlain, plain.path());
  EXPECT_EQ(wanted.result.steps, 12);
  EXPECT_FALSE(wanted.messages.empty());  // of the damaged picture
  expect_same(run(twelve_steps(), Mode::kQueued, queued.path()), wanted);
  expect_same(run(twelve_steps(), Mode::kRecorded, recorded.path()), wanted);
}

TEST(Loop, AnotherRateLeavesOthers) {  // the comparison above can fail
  const Scratch plain, other;
  recipe::Recipe changed = twelve_steps();
  changed.optim.base_lr *= 1.01;
  const Ran first = run(twelve_steps(), Mode::kPlain, plain.path());
  const Ran second = run(changed, Mode::kQueued, other.path());
  EXPECT_NE(first.log, second.log);
  EXPECT_NE(first.weights_and_moments, second.weights_and_moments);
}

// After the checkpoint of step 4 a weight is spoilt: steps 5, 6 and 7 are left out, then the run
// goes back.
void spoil_at_step_4(TrainRequest& request, Messages&, PretrainLearner& learner) {
  request.draw_pictures = [&learner](int64_t step) {
    const at::NoGradGuard no_grad;
    at::Tensor token = learner.model().parameters().find("mask_token").value;
    if (step == 4) token.fill_(std::numeric_limits<float>::quiet_NaN());
  };
}

TEST(Loop, QueuedUpdatesGoBackWhereOthersDo) {
  recipe::Recipe recipe = twelve_steps();
  recipe.run.pictures_every_steps = 4;
  for (const int64_t patience : {1, 2, 3}) {
    recipe.run.max_skipped_in_a_row = patience;
    const Scratch plain, queued;
    const Ran wanted = run(recipe, Mode::kPlain, plain.path(), at::kCPU, spoil_at_step_4);
    const auto bad = std::count_if(
        wanted.messages.begin(), wanted.messages.end(),
        [](const std::string& line) { return line.find("update left out") != std::string::npos; });
    EXPECT_EQ(bad, patience);
    EXPECT_TRUE(std::isfinite(wanted.result.loss));
    expect_same(run(recipe, Mode::kQueued, queued.path(), at::kCPU, spoil_at_step_4), wanted);
  }
}

// Stops as soon as step 6 is told of, when step 7 may have been given.
void expect_stopped_and_resumed_is_whole(Mode mode, at::Device device) {
  const Scratch whole, pieces;
  const Ran wanted = run(twelve_steps(), mode, whole.path(), device);
  std::atomic<bool> stop = false;
  const Ran first = run(twelve_steps(), mode, pieces.path(), device,
                        [&](TrainRequest& request, Messages& messages, PretrainLearner&) {
                          request.stop = &stop;
                          messages.on_progress = [&](const std::string& line) {
                            if (line.starts_with("step 6/")) stop = true;
                          };
                        });
  EXPECT_TRUE(first.result.stopped);
  EXPECT_EQ(first.result.steps, mode == Mode::kPlain ? 6 : 7);
  const Ran rest = run(twelve_steps(), mode, pieces.path(), device);
  EXPECT_EQ(rest.result.steps, 12);
  EXPECT_EQ(rest.log, wanted.log);
  EXPECT_EQ(rest.weights_and_moments, wanted.weights_and_moments);
}

TEST(Loop, StoppedAndResumedLeavesTheBitsOfOneLaunch) {
  for (const Mode mode : {Mode::kPlain, Mode::kQueued, Mode::kRecorded}) {
    expect_stopped_and_resumed_is_whole(mode, at::kCPU);
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
