// Tests the transformer blocks of detectors: which tokens attend to which, and drop path per
// window. tests/models/detector_backbone_test.cpp compares values and gradients with the reference.
#include "fcm/encoder/windowed_blocks.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/encoder/decomposed_blocks.h"
#include "tests/support/compare.h"

namespace fcm::encoder {
namespace {

constexpr masks::Grid kPatches{4, 8};
constexpr int64_t kWindows = 2;  // of 4 x 4 patches

template <class Blocks>
struct DetectorBlocks {
  DetectorBlocks(int64_t window, std::vector<int64_t> global, bool decomposed, int64_t depth)
      : parameters(3, at::kDouble) {
    Windowed windowed;
    windowed.grid = kPatches;
    windowed.window = window;
    windowed.global_blocks = std::move(global);
    windowed.decomposed = decomposed;
    blocks.emplace(nn::Scope(parameters), BlockSizes{"blocks", depth, 8, 2, 2, 1e-6}, windowed);
    parameters.flatten();
    at::manual_seed(2);
    const at::NoGradGuard no_grad;
    for (const nn::Parameter& parameter : parameters.all()) {
      parameter.value.copy_(at::randn_like(parameter.value) * 0.5);
    }
  }
  nn::Parameters parameters;
  std::optional<Blocks> blocks;
};

// Which tokens of the first image differ between two results. [L], bool
at::Tensor changed(const at::Tensor& one, const at::Tensor& other) {
  return one.ne(other).any(2)[0];
}

TEST(WindowedBlocksTest, TokensSeeTheirWindowAndGlobalOnesTheImage) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::plan_of_windows(1, kPatches, 4);
  const at::Tensor x = at::randn({1, 32, 8}, at::kDouble), moved = x.clone();
  moved[0][20].copy_(at::randn({8}, at::kDouble));  // in the second window
  const DetectorBlocks<WindowedBlocks> windows(4, {}, false, 2), global(4, {1}, false, 2);
  const at::Tensor seen =
      changed((*windows.blocks)(x, plan, {}, {}), (*windows.blocks)(moved, plan, {}, {}));
  EXPECT_FALSE(seen.narrow(0, 0, 16).any().item<bool>());
  EXPECT_TRUE(seen.narrow(0, 16, 16).all().item<bool>());
  EXPECT_TRUE(changed((*global.blocks)(x, plan, {}, {}), (*global.blocks)(moved, plan, {}, {}))
                  .all()
                  .item<bool>());
}

TEST(WindowedBlocksTest, AWindowIsLeftOutByItself) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::plan_of_windows(2, kPatches, 4);
  const DetectorBlocks<WindowedBlocks> made(4, {}, false, 1);
  const at::Tensor x = at::randn({2, 32, 8}, at::kDouble);
  const at::Tensor kept = at::tensor({1.0F, 0.0F, 0.0F, 1.0F});
  const at::Tensor all = (*made.blocks)(x, plan, {}, {}),
                   some = (*made.blocks)(x, plan, {}, {{kept, kept}});
  const auto window = [](const at::Tensor& y, int64_t i) { return y.view({4, 16, 8})[i]; };
  for (const int64_t i : {0, 3}) {
    EXPECT_EQ(test::compare(window(some, i), window(all, i), 1e-14).description, "") << i;
  }
  for (const int64_t i : {1, 2}) EXPECT_TRUE(window(some, i).equal(window(x, i))) << i;
}

TEST(WindowedBlocksTest, RefuseOtherPlansAndFactors) {
  const DetectorBlocks<WindowedBlocks> made(4, {1}, false, 2);
  const at::Tensor x = at::randn({1, 32, 8}, at::kDouble);
  EXPECT_THROW((*made.blocks)(x, masks::full_plan(1, kPatches), {}, {}), std::logic_error);
  EXPECT_THROW((*made.blocks)(x, masks::plan_of_windows(1, {8, 4}, 4), {}, {}), std::logic_error);
  EXPECT_THROW((*made.blocks)(x, masks::plan_of_windows(1, kPatches, 2), {}, {}), std::logic_error);
  const at::Tensor image = at::ones({1}), parts = at::ones({kWindows});
  const masks::ViewPlan plan = masks::plan_of_windows(1, kPatches, 4);
  EXPECT_NO_THROW((*made.blocks)(x, plan, {}, {{parts, parts}, {image, image}}));
  EXPECT_THROW((*made.blocks)(x, plan, {}, {{image, image}, {image, image}}), std::logic_error);
  EXPECT_THROW((*made.blocks)(x, plan, {}, {{parts, parts}, {parts, parts}}), std::logic_error);
}

// Windows of 3 do not divide 4 x 8 patches.
TEST(DecomposedBlocksTest, TokensSeeTheirWindow) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::full_plan(1, kPatches);
  const DetectorBlocks<DecomposedBlocks> made(3, {}, true, 1);
  const at::Tensor x = at::randn({1, 32, 8}, at::kDouble), moved = x.clone();
  // Only the last patch changes; its window has one row and two columns.
  moved[0][3 * 8 + 7].copy_(at::randn({8}, at::kDouble));
  const auto run = [&](const at::Tensor& tokens) { return (*made.blocks)(tokens, plan, {}, {}); };
  const at::Tensor seen = changed(run(x), run(moved));
  EXPECT_TRUE(seen.narrow(0, 30, 2).all().item<bool>());
  EXPECT_FALSE(seen.narrow(0, 0, 30).any().item<bool>());
}

TEST(DecomposedBlocksTest, RefuseOtherPlans) {
  const DetectorBlocks<DecomposedBlocks> made(3, {}, true, 1);
  const at::Tensor x = at::randn({1, 32, 8}, at::kDouble);
  EXPECT_THROW((*made.blocks)(x, masks::plan_of_windows(1, kPatches, 4), {}, {}), std::logic_error);
  EXPECT_THROW((*made.blocks)(x, masks::full_plan(1, {8, 4}), {}, {}), std::logic_error);
}

}  // namespace
}  // namespace fcm::encoder
