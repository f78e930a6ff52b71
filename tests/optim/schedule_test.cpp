#include "fcm/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>

#include "fcm/optim/parameter_groups.h"

namespace fcm::optim {
namespace {

OptimOptions published() { return {}; }  // the defaults: batch 512, 50 epochs, 10 of warm-up

TEST(Schedule, PublishedGoldens) {
  const OptimOptions options = published();
  EXPECT_DOUBLE_EQ(options.lr(), 1.2e-3);
  EXPECT_EQ(lr_at_epoch(options, 0), 0);
  EXPECT_DOUBLE_EQ(lr_at_epoch(options, 5), 6e-4);
  EXPECT_DOUBLE_EQ(lr_at_epoch(options, 10), 1.2e-3);
  EXPECT_NEAR(lr_at_epoch(options, 20), 1.02426e-3, 5e-9);
  EXPECT_NEAR(lr_at_epoch(options, 30), 6e-4, 1e-18);
  EXPECT_NEAR(lr_at_epoch(options, 40), 1.75736e-4, 5e-10);
  EXPECT_NEAR(lr_at_epoch(options, 49), 1.8496e-6, 5e-12);
  EXPECT_EQ(lr_at_epoch(options, 50), 0);
}

TEST(Schedule, EveryStoredRowOfThePublishedSchedules) {
  const std::string path = FCM_SOURCE_DIR "/../shared/fixtures/schedules.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no golden file at " << path;
  std::ifstream file(path);
  const nlohmann::json schedules = nlohmann::json::parse(file);
  const ParameterGroup group{"layer_11_decay", 0.65, 0.05, {}};
  int rows = 0;
  for (const auto& golden : schedules.at("cases")) {
    OptimOptions options;
    options.base_lr = golden.at("blr");
    options.batch_size = golden.at("batch");
    options.warmup_epochs = golden.at("warmup_epochs");
    options.epochs = golden.at("epochs");
    options.min_lr = golden.at("min_lr");
    EXPECT_DOUBLE_EQ(options.lr(), golden.at("lr").get<double>());
    for (const auto& row : golden.at("rows")) {
      const double epoch = row[0], lr = row[1], scaled = row[2];
      // Near the end 1 + cos cancels: rounding of the cosine is an error of 1e-16 of the peak.
      EXPECT_NEAR(lr_at_epoch(options, epoch), lr, 1e-14 * lr + 2e-16 * options.lr())
          << "epoch " << epoch << " of " << options.epochs;
      EXPECT_NEAR(group.lr(lr_at_epoch(options, epoch)), scaled,
                  1e-14 * scaled + 2e-16 * options.lr());
      ++rows;
    }
  }
  EXPECT_GE(rows, 300);
}

TEST(Schedule, StepsAreFractionsOfAnEpoch) {
  const OptimOptions options = published();
  EXPECT_EQ(lr_at_step(options, 0, 2502), 0);
  EXPECT_EQ(lr_at_step(options, 1, 2502), lr_at_epoch(options, 1.0 / 2502));
  EXPECT_EQ(lr_at_step(options, 2502 * 49 + 2501, 2502), lr_at_epoch(options, 2501.0 / 2502 + 49));
  EXPECT_DOUBLE_EQ(lr_at_step(options, 30 * 7, 7), 6e-4);
}

TEST(Schedule, RisesThenFallsWithoutAJump) {
  OptimOptions options = published();
  options.min_lr = 1e-5;
  double before = lr_at_step(options, 0, 20);
  for (int64_t step = 1; step <= 50 * 20; ++step) {
    const double lr = lr_at_step(options, step, 20);
    if (step <= 10 * 20) {
      EXPECT_GT(lr, before);
    } else {
      EXPECT_LT(lr, before);
    }
    EXPECT_LT(std::abs(lr - before), 1.2e-3 / 100);
    before = lr;
  }
  EXPECT_DOUBLE_EQ(before, 1e-5);
}

TEST(Schedule, HoldsAtTheEdges) {
  OptimOptions options = published();
  options.min_lr = 1e-6;
  EXPECT_EQ(lr_at_epoch(options, 50.5), 1e-6);  // the cosine does not rise again
  options.warmup_epochs = 0;
  EXPECT_DOUBLE_EQ(lr_at_epoch(options, 0), 1.2e-3);
  options.warmup_epochs = 50;  // the whole run is warm-up
  EXPECT_DOUBLE_EQ(lr_at_epoch(options, 25), 6e-4);
  EXPECT_DOUBLE_EQ(lr_at_epoch(options, 50), 1.2e-3);
  options.epochs = 0.5;  // the run is shorter than its warm-up
  options.warmup_epochs = 1;
  EXPECT_DOUBLE_EQ(lr_at_epoch(options, 0.25), 3e-4);
  options.epochs = 0;
  options.warmup_epochs = 0;
  EXPECT_TRUE(std::isfinite(lr_at_epoch(options, 0)));
}

// SimMIM's two schedules are timm's: each step has the schedule's value of the step before it,
// warm-up starts above 0, and the cosine begins at step 0.
TEST(Schedule, OfSimMimIsThatOfTimm) {
  OptimOptions options;
  options.batch_size = 512;
  options.base_lr = 1e-4;
  options.warmup_lr = 5e-7;
  options.min_lr = 1e-5;
  options.epochs = 11;
  options.warmup_epochs = 2;
  options.schedule = "cosine_from_start";
  EXPECT_DOUBLE_EQ(lr_at_step(options, 0, 9), 1e-6);
  EXPECT_DOUBLE_EQ(lr_at_step(options, 1, 9), 1e-6);
  EXPECT_NEAR(lr_at_step(options, 2, 9), 1.2055555555555556e-05, 1e-18);
  // The cosine begins at step 0, so after warm-up the lr is below the peak.
  EXPECT_NEAR(lr_at_step(options, 19, 9),
              1e-5 + 0.5 * (2e-4 - 1e-5) * (1 + std::cos(std::numbers::pi * 2 / 11)), 1e-17);
  options.schedule = "drops";
  options.drop_epochs = {8, 10};
  options.drop = 0.1;
  EXPECT_DOUBLE_EQ(lr_at_step(options, 8 * 9, 9), 2e-4);
  EXPECT_DOUBLE_EQ(lr_at_step(options, 8 * 9 + 1, 9), 2e-5);
  EXPECT_NEAR(lr_at_step(options, 10 * 9 + 1, 9), 2e-6, 1e-20);
}

// The lr at the start of warm-up and the lr at the end of the cosine are the same for all groups.
TEST(Schedule, OfSimMimSharesItsEndsAmongGroups) {
  OptimOptions options;
  options.batch_size = 256;
  options.base_lr = 1e-3;
  options.warmup_lr = 1e-6;
  options.min_lr = 1e-5;
  options.schedule = "cosine_from_start";
  const ParameterGroup low{"", 0.01, 0, {}};
  const auto of_low = [&](const Rate& rate) { return low.lr(rate.lr, rate.common); };
  EXPECT_DOUBLE_EQ(of_low(rate_at_epoch(options, 0)), 1e-6);
  EXPECT_DOUBLE_EQ(of_low(rate_at_epoch(options, options.epochs)), 1e-5);
  const Rate middle = rate_at_epoch(options, 5);
  EXPECT_NEAR(of_low(middle), 0.5 * 1e-6 + 0.5 * 1e-5, 1e-18);
}

// Compares the schedule of ConvMAE's segmentation: mmcv's poly policy with linear warm-up.
TEST(Schedule, EveryStoredStepOfThePolySchedule) {
  const std::string path = FCM_SOURCE_DIR "/../shared/goldens/segmentation/schedule.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no golden file at " << path;
  std::ifstream file(path);
  int rows = 0;
  for (const auto& golden : nlohmann::json::parse(file)) {
    ASSERT_EQ(golden.at("power"), 1);
    ASSERT_EQ(golden.at("min_lr"), 0);
    OptimOptions options;
    options.schedule = "poly";
    options.batch_size = 256;
    options.base_lr = golden.at("lr");
    options.warmup_lr = options.base_lr * golden.at("warmup_ratio").get<double>();
    options.steps = golden.at("max_iters");
    options.warmup_steps = golden.at("warmup_iters");
    for (const auto& point : golden.at("points")) {
      const double wanted = point.at(1).get<double>();
      EXPECT_NEAR(lr_at_step(options, point.at(0).get<int64_t>(), 1263), wanted, wanted * 1e-10)
          << "step " << point.at(0);
      ++rows;
    }
  }
  EXPECT_GT(rows, 10);
}

// Compares detectron2's schedules with warm-up, as the detectors of ConvMAE, MIMDet and
// Official-ConvMAE-Det use them.
TEST(Schedule, EveryStoredStepOfTheSchedulesOfDetection) {
  const std::string path = FCM_SOURCE_DIR "/../shared/goldens/detection/schedules.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no golden file at " << path;
  std::ifstream file(path);
  int rows = 0;
  const nlohmann::json schedules = nlohmann::json::parse(file);
  for (const auto& [name, golden] : schedules.items()) {
    OptimOptions options;
    const bool drops = name.starts_with("official");
    options.schedule = drops ? "step_drops" : "step_cosine";
    if (drops) options.drop_steps = {163889, 177546};
    options.batch_size = golden.at("batch");
    options.base_lr =
        golden.at("base_lr").get<double>() * 256 / static_cast<double>(options.batch_size);
    options.warmup_lr = options.base_lr * 0.001;
    options.steps = golden.at("max_iter");
    options.warmup_steps =
        golden.at("warmup_length").get<double>() * static_cast<double>(options.steps);
    const auto& steps = golden.at("iterations");
    for (size_t i = 0; i < steps.size(); ++i) {
      const double wanted = golden.at("lr").at(i).get<double>();
      // Near the end 1 + cos cancels: rounding of the cosine is an error of 1e-16 of the peak.
      EXPECT_NEAR(lr_at_step(options, steps.at(i), 3665), wanted,
                  wanted * 1e-13 + 2e-16 * options.lr())
          << name << ", step " << steps.at(i);
      ++rows;
    }
  }
  EXPECT_GT(rows, 100);
}

TEST(Schedule, ByStepsRiseToWhereTheyGoOn) {
  OptimOptions options;
  options.schedule = "step_cosine";
  options.steps = 100;
  options.warmup_steps = 40;
  const double peak = options.lr(), reached = peak * 0.5 * (1 + std::cos(std::numbers::pi * 0.4));
  EXPECT_EQ(lr_at_step(options, 0, 1), 0);
  EXPECT_DOUBLE_EQ(lr_at_step(options, 20, 1), reached / 2);
  EXPECT_DOUBLE_EQ(lr_at_step(options, 40, 1), reached);
  EXPECT_EQ(lr_at_step(options, 100, 1), 0);
  options.schedule = "step_drops";
  options.drop_steps = {30, 60};
  EXPECT_DOUBLE_EQ(lr_at_step(options, 20, 1), peak * 0.1 / 2);
  EXPECT_DOUBLE_EQ(lr_at_step(options, 59, 1), peak * 0.1);
  EXPECT_NEAR(lr_at_step(options, 60, 1), peak * 0.01, peak * 1e-16);
}

TEST(Schedule, PolyCountsStepsOfEpochsWhereNoneAreGiven) {
  OptimOptions options;
  options.schedule = "poly";
  options.epochs = 4;
  EXPECT_EQ(steps_of_run(options, 25), 100);
  EXPECT_DOUBLE_EQ(lr_at_step(options, 50, 25), options.lr() / 2);
  EXPECT_EQ(lr_at_step(options, 100, 25), 0);
  options.steps = 10;
  EXPECT_EQ(steps_of_run(options, 25), 10);
  EXPECT_THROW(rate_at_epoch(options, 1), std::logic_error);
}

}  // namespace
}  // namespace fcm::optim
