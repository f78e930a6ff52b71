// Resizes the position tables of weight files to images of another size.
#include "fcm/tasks/fit_positions.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "fcm/nn/positions.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

const at::Tensor kTable_1TC = at::arange(26 * 2, at::kFloat).sin().view({1, 26, 2});

struct File {
  explicit File(const at::Tensor& table) { tensors.add("pos_embed", table); }
  formats::TensorView& view() { return tensors.views.front(); }
  train::PublishedTensors tensors;
};

TEST(FitPositions, ResizesTablesOfTwoAndOfThreeDimensions) {
  const at::Tensor wanted = nn::resize_positions(kTable_1TC, 5, 5, 3, 4);
  File three(kTable_1TC), two(kTable_1TC[0]), half(kTable_1TC.to(at::kHalf));
  const std::vector<at::Tensor> resized_tensors = {fit_positions(three.view(), 1, {5, 5}, {3, 4}),
                                                   fit_positions(two.view(), 1, {5, 5}, {3, 4}),
                                                   fit_positions(half.view(), 1, {5, 5}, {3, 4})};
  EXPECT_TRUE(train::to_tensor(three.view()).equal(wanted));
  EXPECT_TRUE(train::to_tensor(two.view()).equal(wanted[0]));
  EXPECT_TRUE(
      train::to_tensor(half.view())
          .equal(nn::resize_positions(kTable_1TC.to(at::kHalf).to(at::kFloat), 5, 5, 3, 4)));
}

// A 2 x 8 grid has as many patches as 4 x 4, but the table must still be resized.
TEST(FitPositions, CountsAloneDoNotMakeAGrid) {
  File file(kTable_1TC.narrow(1, 0, 1 + 16));
  const at::Tensor owner = fit_positions(file.view(), 1, square_of(16), {2, 8});
  ASSERT_TRUE(owner.defined());
  EXPECT_EQ(file.view().shape, (std::vector<int64_t>{1, 17, 2}));
  EXPECT_FALSE(owner.equal(kTable_1TC.narrow(1, 0, 17)));
}

TEST(FitPositions, LeavesWhatFitsAndWhatIsNotOfThatGrid) {
  File file(kTable_1TC);
  EXPECT_FALSE(fit_positions(file.view(), 1, {5, 5}, {5, 5}).defined());
  EXPECT_FALSE(fit_positions(file.view(), 0, {5, 5}, {3, 4}).defined());
  EXPECT_FALSE(fit_positions(file.view(), 1, {5, 6}, {3, 4}).defined());
  EXPECT_TRUE(train::to_tensor(file.view()).equal(kTable_1TC));
  for (const at::Tensor& other :
       {at::zeros({2, 26, 3}), at::zeros({26}), at::zeros({1, 1, 26, 2}), at::zeros({1, 1, 2})}) {
    File odd(other);
    const int64_t tokens = other.dim() > 1 ? other.size(-2) : 0;
    EXPECT_FALSE(fit_positions(odd.view(), 1, square_of(tokens - 1), {3, 4}).defined());
  }
}

TEST(FitPositions, PatchesThatMakeNoSquare) {
  EXPECT_EQ(square_of(196).rows, 14);
  EXPECT_EQ(square_of(196).cols, 14);
  EXPECT_EQ(square_of(195).patches(), 169);
  EXPECT_EQ(square_of(197).patches(), 196);
  EXPECT_EQ(square_of(0).patches(), 0);
  EXPECT_EQ(square_of(-1).patches(), 0);
}

}  // namespace
}  // namespace fcm::tasks
