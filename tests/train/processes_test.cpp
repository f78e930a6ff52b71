// Training by several processes gives the weights of one process up to rounding, and the same bits
// in every run.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/file.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "fcm/train/loop.h"
#include "fcm/train/run_log.h"
#include "tests/support/scratch.h"
#include "tests/train/rank_runs.h"
#include "tests/train/run_results.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

namespace fs = std::filesystem;

// The result of one process. `rounding` is by how much its weights change with the size of the
// micro-batch, which changes only the order of sums.
class OneProcess {
 public:
  explicit OneProcess(const fs::path& folder, const recipe::Recipe& whole = twenty_steps()) {
    train_in(folder / "one", 0, whole);
    weights = weights_of(folder / "one");
    losses = losses_of(folder / "one");
    for (const int64_t micro_batch : {1, 2, 3}) {
      recipe::Recipe recipe = whole;
      recipe.optim.micro_batch = micro_batch;
      const fs::path out = folder / ("micro" + std::to_string(micro_batch));
      train_in(out, 0, recipe);
      rounding = std::max(rounding, largest_difference(weights, weights_of(out)));
    }
  }

  RunWeights weights;
  std::vector<double> losses;
  double rounding = 0;
};

constexpr double kHeadroom = 10;  // as in the parity runner

void expect_like(const OneProcess& one, const fs::path& run) {
  EXPECT_LE(largest_difference(one.weights, weights_of(run)), kHeadroom * one.rounding) << run;
  const std::vector<double> losses = losses_of(run);
  ASSERT_EQ(losses.size(), one.losses.size());
  for (size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(losses[i], one.losses[i], 1e-5) << i;
}

TEST(Processes, ComeToTheWeightsOfOne) {
  const test::Scratch scratch;
  const OneProcess one(scratch.path());
  EXPECT_GT(one.rounding, 0);
  EXPECT_LT(one.rounding, 1e-4);  // otherwise the bound below would be too loose
  for (const int64_t ranks : {1, 2, 4}) {
    const fs::path out = scratch / std::to_string(ranks);
    train_in(out, ranks);
    expect_like(one, out);
  }
}

TEST(Processes, TheSameNumberOfRanksGivesTheSameBits) {
  const test::Scratch scratch;
  for (const int64_t ranks : {2, 4}) {
    const fs::path first = scratch / (std::to_string(ranks) + "a"),
                   second = scratch / (std::to_string(ranks) + "b");
    train_in(first, ranks);
    train_in(second, ranks);
    EXPECT_TRUE(bits_of(first) == bits_of(second)) << ranks;
  }
}

TEST(Processes, ThroughTheNetworkComeToTheSameBitsAsThroughSharedMemory) {
  const test::Scratch scratch;
  train_in(scratch / "here", 2);  // two ranks: the order of sums is the same for both transports
  train_in(scratch / "there", 2, twenty_steps(), {}, dist::test::as_on_several_machines);
  EXPECT_TRUE(bits_of(scratch / "here") == bits_of(scratch / "there"));
  train_in(scratch / "four", 4, twenty_steps(), {}, dist::test::as_on_several_machines);
  expect_like(OneProcess(scratch.path()), scratch / "four");
}

TEST(Processes, FollowAMovingAverageTogether) {
  const test::Scratch scratch;
  recipe::Recipe recipe = twenty_steps();
  recipe.pretrain().decoder.depth = 3;
  recipe.pretrain().targets.rgb = 0.75;
  recipe.pretrain().targets.ema = 0.25;
  recipe.pretrain().targets.ema_momentum = 0.9;
  const OneProcess one(scratch.path(), recipe);
  EXPECT_TRUE(std::any_of(one.weights.begin(), one.weights.end(),
                          [](const auto& each) { return each.first.starts_with("ema."); }));
  for (const int64_t ranks : {2, 4}) {
    const fs::path out = scratch / std::to_string(ranks);
    train_in(out, ranks, recipe);
    expect_like(one, out);
  }
  recipe.run.max_steps = 10;
  train_in(scratch / "stopped", 2, recipe);
  recipe.run.max_steps = 20;
  train_in(scratch / "stopped", 2, recipe);
  EXPECT_TRUE(bits_of(scratch / "stopped") == bits_of(scratch / "2"));
}

TEST(Processes, ResumeWithAnotherNumberOfRanks) {
  const test::Scratch scratch;
  const OneProcess one(scratch.path());
  recipe::Recipe half = twenty_steps();
  half.run.max_steps = 10;
  for (const auto& [before, after] : {std::pair{2, 1}, {2, 4}, {1, 2}}) {
    const fs::path out = scratch / fmt::format("{}-{}", before, after);
    train_in(out, before, half);
    train_in(out, after);
    expect_like(one, out);
  }
  // Resumed with the same number of ranks, a run ends with the bits of an undisturbed run.
  train_in(scratch / "stopped", 2, half);
  train_in(scratch / "stopped", 2);
  train_in(scratch / "whole", 2);
  EXPECT_TRUE(bits_of(scratch / "stopped") == bits_of(scratch / "whole"));
}

// Checks how many moments this rank stores if `of_ranks` ranks divide them. Throws in the rank's
// process, which then ends with an error status.
void expect_moments(const PretrainLearner& learner, int64_t of_ranks) {
  const int64_t all = learner.model().parameters().flat_values().numel(),
                own = learner.optimizer().first_moments().numel();
  if (own > all / of_ranks + 64 || (of_ranks == 1 && own < all)) {
    fail(ExitCode::kNumeric, "{} moments of {}", own, all);
  }
}

// Checks that rank 0 sees a value that rank 1 writes to a weight.
void expect_shared_weights(dist::Group& group, PretrainLearner& learner) {
  const at::NoGradGuard no_grad;
  at::Tensor weight = learner.model().parameters().find("mask_token").value.view(-1)[0];
  const float before = weight.item<float>();
  group.barrier();
  if (group.rank() == 1) weight.fill_(7);
  group.barrier();
  if (weight.item<float>() != 7)
    fail(ExitCode::kNumeric, "the weight is not the one that rank 1 wrote");
  group.barrier();
  if (group.rank() == 1) weight.fill_(before);
  group.barrier();
}

TEST(Processes, OnOneMachineHaveTheirWeightsInCommon) {
  const test::Scratch scratch;
  const auto train_from = [&](const std::string& name, int64_t steps, bool together) {
    recipe::Recipe recipe = twenty_steps();
    recipe.run.max_steps = steps;
    const ChangeOfRank look = [=](dist::Group& group, recipe::Recipe&, PretrainLearner& it) {
      if (together) expect_shared_weights(group, it);
      expect_moments(it, together ? 2 : 1);
    };
    train_in(
        scratch / name, 2, recipe, look,
        together ? dist::test::Processes::ChangePlacement() : dist::test::as_on_several_machines);
  };
  train_from("here", 20, true);
  train_from("there", 20, false);
  EXPECT_TRUE(bits_of(scratch / "here") == bits_of(scratch / "there"));
  train_from("moved", 10, true);  // a checkpoint does not depend on shared weights
  train_from("moved", 20, false);
  EXPECT_TRUE(bits_of(scratch / "moved") == bits_of(scratch / "here"));
}

TEST(Processes, WithSharesOfTheMomentsComeToTheSameBits) {
  const test::Scratch scratch;
  recipe::Recipe shared = twenty_steps();
  shared.optim.shard = true;
  for (const int64_t ranks : {2, 4}) {
    const fs::path whole = scratch / fmt::format("whole{}", ranks),
                   parts = scratch / fmt::format("parts{}", ranks);
    train_in(whole, ranks, twenty_steps(), {}, dist::test::as_on_several_machines);
    train_in(
        parts, ranks, shared,
        [ranks](dist::Group&, recipe::Recipe&, PretrainLearner& it) { expect_moments(it, ranks); },
        dist::test::as_on_several_machines);
    EXPECT_TRUE(bits_of(whole) == bits_of(parts)) << ranks;
  }
  train_in(scratch / "here", 2, shared);  // on one machine the ranks always share the moments
  EXPECT_TRUE(bits_of(scratch / "here") == bits_of(scratch / "whole2"));
  // A checkpoint does not depend on how the ranks divide the moments.
  recipe::Recipe half = shared;
  half.run.max_steps = 10;
  const fs::path out = scratch / "mixed";
  train_in(out, 2, half, {}, dist::test::as_on_several_machines);
  train_in(out, 2, twenty_steps(), {}, dist::test::as_on_several_machines);
  EXPECT_TRUE(bits_of(out) == bits_of(scratch / "whole2"));
}

// The weights diverge: all ranks skip the same steps and roll back to the same checkpoint.
TEST(Processes, RollBackTogether) {
  const test::Scratch scratch;
  recipe::Recipe recipe = twenty_steps();
  recipe.optim.base_lr = 1e25;
  recipe.run.save_every_steps = 1;  // so that a checkpoint precedes the first bad step
  recipe.run.max_skipped_in_a_row = 2;
  recipe.run.max_rollbacks = 100;
  train_in(scratch / "here", 2, recipe);
  train_in(scratch / "there", 2, recipe, {}, dist::test::as_on_several_machines);
  EXPECT_TRUE(bits_of(scratch / "here") == bits_of(scratch / "there"));
  const auto state = checkpoint::newest_state(scratch / "here/checkpoints");
  ASSERT_TRUE(state);
  EXPECT_GE(state->at("counters").at("rollbacks"), 2);
}

TEST(Processes, WriteOneLogOfAllOfThem) {
  const test::Scratch scratch;
  train_in(scratch.path(), 4);
  int64_t steps = 0, bad = 0;
  for (const nlohmann::json& line : read_log(scratch / "log.jsonl")) {
    bad += line.contains("bad_sample") ? 1 : 0;
    if (!line.contains("loss")) continue;
    EXPECT_EQ(line.at("step"), ++steps);
    EXPECT_EQ(line.at("ranks"), 4);
    EXPECT_LE(line.at("slowest_rank_images_per_second"), line.at("fastest_rank_images_per_second"));
    EXPECT_GE(line.at("rank_wait_seconds"), 0);
    if (steps < 20) continue;
    EXPECT_EQ(line.at("skipped_samples"), 4);  // the damaged image, once in each of 4 epochs
  }
  EXPECT_EQ(steps, 20);
  EXPECT_EQ(bad, 4);
}

TEST(Processes, ThatCannotUseOneGradientLeaveTheUpdateOutTogether) {
  recipe::Recipe recipe = twenty_steps();
  recipe.run.max_steps = 2;
  recipe.run.save_every_steps = 100;
  // On one machine the ranks share the weights, so all of them have the NaN; on several machines
  // only rank 1 has it.
  for (const auto& placed :
       {dist::test::Processes::ChangePlacement(),
        dist::test::Processes::ChangePlacement(dist::test::as_on_several_machines)}) {
    const test::Scratch scratch;
    train_in(
        scratch.path(), 2, recipe,
        [](dist::Group& group, recipe::Recipe&, PretrainLearner& it) {
          if (group.rank() == 0) return;
          const at::NoGradGuard no_grad;
          it.model()
              .parameters()
              .find("mask_token")
              .value.fill_(std::numeric_limits<float>::quiet_NaN());
        },
        placed);
    int64_t steps = 0;
    for (const nlohmann::json& line : read_log(scratch / "log.jsonl")) {
      if (!line.contains("loss")) continue;
      ++steps;
      EXPECT_EQ(line.at("skipped_updates"), line.at("step"));
    }
    EXPECT_EQ(steps, 2);
  }
}

}  // namespace
}  // namespace fcm::train
