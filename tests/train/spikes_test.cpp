// RELIABILITY.md, G13: a spike of the loss is detected at its first step and reported once. With
// run.spike = "rollback" the run rolls back.
#include "fcm/train/spikes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "fcm/base/random.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/loop.h"
#include "tests/support/scratch.h"
#include "tests/train/changed_learner.h"
#include "tests/train/small_run.h"

namespace fcm::train {
namespace {

using test::Scratch;

// The number of spikes detected in these losses.
int64_t spikes_in(const std::vector<double>& losses) {
  LossHistory history;
  for (const double loss : losses) add_loss(history, loss);
  return history.spikes;
}

std::vector<double> noisy(int64_t count, double level, double stddev) {
  KeyedRandom random(1, Purpose::kProbe, 0, 0);
  std::vector<double> losses;
  for (int64_t i = 0; i < count; ++i) losses.push_back(level + stddev * random.normal());
  return losses;
}

TEST(Spikes, TenTimesTheUsualIsSeenAtOnceAndTwiceTooWhereThereIsLittleNoise) {
  for (const double factor : {2.0, 10.0}) {
    std::vector<double> losses = noisy(100, 0.9, 0.02);
    LossHistory history;
    for (const double loss : losses) EXPECT_FALSE(add_loss(history, loss));
    const auto spike = add_loss(history, 0.9 * factor);
    ASSERT_TRUE(spike) << factor;
    EXPECT_NEAR(spike->median, 0.9, 0.02);
    EXPECT_EQ(history.spikes_in_a_row, 1);
    EXPECT_FALSE(add_loss(history, 0.9));
    EXPECT_EQ(history.spikes_in_a_row, 0);
  }
}

TEST(Spikes, WhatTrainingDoesIsNone) {
  EXPECT_EQ(spikes_in(noisy(100'000, 0.9, 0.05)), 0);
  EXPECT_EQ(spikes_in(noisy(100'000, 5, 1.5)), 0);  // as with mixup
  EXPECT_EQ(spikes_in(noisy(10'000, -0.8, 0.02)), 0);
  std::vector<double> falling, rising;
  for (int i = 0; i < 2000; ++i) {
    falling.push_back(0.4 + 6 * std::exp(-0.01 * i));
    rising.push_back(0.4 + 0.001 * i);
  }
  EXPECT_EQ(spikes_in(falling), 0);
  EXPECT_EQ(spikes_in(rising), 0);
  EXPECT_EQ(spikes_in({1, 100, 1, 100}), 0);  // too few losses to know the usual level
}

TEST(Spikes, ALevelThatStaysBecomesTheNewLevel) {
  LossHistory history;
  for (int i = 0; i < 64; ++i) add_loss(history, 1);
  for (int i = 0; i < 64; ++i) add_loss(history, 10);
  EXPECT_GE(history.spikes, 32);
  EXPECT_LE(history.spikes, 33);
  EXPECT_EQ(history.losses.size(), 64U);
}

TEST(Spikes, ThoseOfARowCanBeForgotten) {
  LossHistory history;
  for (int i = 0; i < 20; ++i) add_loss(history, 1);
  const std::vector<double> before = history.losses;
  for (int i = 0; i < 3; ++i) add_loss(history, 10);
  EXPECT_EQ(history.spikes_in_a_row, 3);
  forget_spikes(history);
  EXPECT_EQ(history.losses, before);
  EXPECT_EQ(history.spikes_in_a_row, 0);
  EXPECT_EQ(history.spikes, 3);
}

// The outcome of a run of 40 steps with a checkpoint every four steps, in which the reported losses
// of steps 22 to 24 are multiplied by `factor`.
struct Outcome {
  std::vector<nlohmann::json> log;
  std::string bytes;
  std::vector<std::string> warnings;  // about spikes and rollbacks
};

Outcome run_losses(const std::filesystem::path& out, const char* mode, double factor,
                   const std::vector<int64_t>& ends = {40}) {
  recipe::Recipe recipe = twelve_steps();
  recipe.optim.epochs = 10;
  recipe.run.spike = mode;
  Outcome outcome;
  for (const int64_t end : ends) {
    PretrainLearner inner({recipe::autoencoder_options(recipe), 3}, recipe);
    ChangedLearner learner(inner, [&](int64_t, const StepPlan& plan, const auto& plain) {
      StepResult result = plain();
      if (plan.step >= 21 && plan.step <= 23) result.loss *= factor;
      return result;
    });
    TrainRequest request;
    request.recipe = recipe;
    request.recipe.run.max_steps = end;
    request.dataset = std::make_shared<Stripes>();
    request.out = out;
    Messages messages;
    train(learner, request, messages);
    for (const std::string& line : messages.lines) {
      if (line.find("jumped") != line.npos || line.find("rolled back") != line.npos) {
        outcome.warnings.push_back(line);
      }
    }
  }
  outcome.log = log_of(out);
  outcome.bytes = last_checkpoint(out);
  return outcome;
}

int64_t spike_lines(const Outcome& outcome) {
  return std::count_if(outcome.log.begin(), outcome.log.end(),
                       [](const nlohmann::json& line) { return line.contains("spike"); });
}

TEST(SpikesOfARun, AreLoggedAndChangeNothing) {
  const Scratch clean, jumping;
  const Outcome undisturbed = run_losses(clean.path(), "log", 1),
                spiky = run_losses(jumping.path(), "log", 10);
  EXPECT_EQ(spike_lines(undisturbed), 0);
  EXPECT_TRUE(undisturbed.warnings.empty());
  EXPECT_EQ(spike_lines(spiky), 3);
  ASSERT_EQ(spiky.warnings.size(), 1U);  // one for consecutive spikes
  EXPECT_NE(spiky.warnings[0].find("step 22: the loss jumped to"), std::string::npos)
      << spiky.warnings[0];
  EXPECT_TRUE(spiky.bytes == undisturbed.bytes);
}

TEST(SpikesOfARun, GoBackWhereTheRecipeSaysSoAlsoWhenItIsResumed) {
  const Scratch clean, whole, pieces;
  const Outcome undisturbed = run_losses(clean.path(), "rollback", 1),
                back = run_losses(whole.path(), "rollback", 10);
  ASSERT_EQ(back.warnings.size(), 2U);
  EXPECT_NE(back.warnings[1].find("step 24: rolled back to the weights of step 20"),
            std::string::npos)
      << back.warnings[1];
  EXPECT_FALSE(back.bytes == undisturbed.bytes);
  const Outcome resumed = run_losses(pieces.path(), "rollback", 10, {18, 40});
  EXPECT_TRUE(resumed.bytes == back.bytes);
  EXPECT_EQ(spike_lines(resumed), 3);
}

}  // namespace
}  // namespace fcm::train
