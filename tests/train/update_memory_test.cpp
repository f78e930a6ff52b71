#include "fcm/train/update_memory.h"

#include <gtest/gtest.h>

#include "fcm/base/process.h"
#include "fcm/recipe/setup.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

constexpr double kMiB = 1 << 20;

TEST(UpdateMemory, WithinALimitThereIsRoomForTheRest) {
  const recipe::Recipe recipe = small_recipe();
  const double room = memory_within(1024 * kMiB, 100 * kMiB, recipe, 1000);
  EXPECT_GT(room, 0);
  EXPECT_LT(room / 2, (1024 - 384) * kMiB / 2)
      << "choose_micro_batch uses half of `room` for activations";
  EXPECT_LT(memory_within(1024 * kMiB, 100 * kMiB, recipe, 20'000'000), room);
  EXPECT_LT(memory_within(1024 * kMiB, 700 * kMiB, recipe, 1000), room);
  recipe::Recipe larger = recipe;
  larger.optim.batch_size = 4096;
  EXPECT_LT(memory_within(1024 * kMiB, 100 * kMiB, larger, 1000), room);
}

TEST(UpdateMemory, WithoutRoomImagesGoOneByOne) {
  const recipe::Recipe recipe = small_recipe();
  const double room = memory_within(100 * kMiB, 100 * kMiB, recipe, 1000);
  EXPECT_EQ(room, 0);
  EXPECT_EQ(recipe::choose_micro_batch(recipe, at::kFloat, room), 1);
}

TEST(UpdateMemory, IsNeverMoreThanThereIs) {
  EXPECT_LE(memory_for_images(small_recipe(), 1000, at::kCPU, 1), usable_memory_bytes());
}

TEST(UpdateMemory, RanksOfOneMachineShareIt) {
  const double alone = memory_for_images(small_recipe(), 1000, at::kCPU, 1);
  const double one_of_four = memory_for_images(small_recipe(), 1000, at::kCPU, 4);
  EXPECT_LE(one_of_four, alone / 4 * 1.001);
}

}  // namespace
}  // namespace fcm::train
