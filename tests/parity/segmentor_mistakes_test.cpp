// Planted mistakes in the cases of whole segmenters.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/parity/mistakes.h"

namespace fcm::parity {
namespace {

void expect_noticed_by_segmentor(const std::string& file, const InputMistake& mistake) {
  expect_noticed_in(kShared / "goldens/segmentation", file, mistake, "fast fp32");
}

TEST(SegmentorMistakes, ScalesOfAnotherBranch) {
  expect_noticed_by_segmentor("segmentor_square.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "backbone.blocks3.1.gamma_1", "backbone.blocks3.1.gamma_2");
  });
}

// Transposes the table of a grid that is not square.
TEST(SegmentorMistakes, ATransposedTable) {
  expect_noticed_by_segmentor("segmentor_rect.safetensors", [](Inputs& inputs) {
    at::Tensor& table =
        inputs.weights.at("backbone.blocks3.0.attn.relative_position_bias_table");  // [11 * 19, 3]
    table = table.view({11, 19, 3}).transpose(0, 1).reshape({209, 3});
  });
}

TEST(SegmentorMistakes, ATableOfAnotherHead) {
  expect_noticed_by_segmentor("other_size.safetensors", [](Inputs& inputs) {
    at::Tensor& table = inputs.weights.at("backbone.blocks3.2.attn.relative_position_bias_table");
    table = table.roll(1, 1);
  });
}

// Swaps the table row for the class token as the query with the row for it as the key.
TEST(SegmentorMistakes, RowsOfTheClassTokenSwapped) {
  expect_noticed_by_segmentor("mae_vit_segmentor.safetensors", [](Inputs& inputs) {
    at::Tensor& table = inputs.weights.at("backbone.blocks.0.attn.relative_position_bias_table");
    const int64_t rows = table.size(0);
    const at::Tensor order = at::arange(rows);
    order[rows - 3] = rows - 2;
    order[rows - 2] = rows - 3;
    table = table.index_select(0, order);
  });
}

}  // namespace
}  // namespace fcm::parity
