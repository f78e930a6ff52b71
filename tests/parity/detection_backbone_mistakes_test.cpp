// Planted mistakes in the cases of detection backbones.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/parity/mistakes.h"

namespace fcm::parity {
namespace {

const std::string kBottomUp = "backbone.bottom_up.";

void expect_noticed_by_backbone(const std::string& file, const InputMistake& mistake) {
  expect_noticed_in(kShared / "goldens/detection", file, mistake, "fast fp32");
}

// Transposes the table of an image that is not square, so that rows and columns differ.
TEST(DetectionBackboneMistakes, ATransposedTable) {
  expect_noticed_by_backbone("backbone_rect.safetensors", [](Inputs& inputs) {
    at::Tensor& table =
        inputs.weights.at(kBottomUp + "global_rel_pos_bias.relative_position_bias_table");
    table = table.view({15, 23, 2}).transpose(0, 1).reshape({345, 2});  // 8 x 12 patches
  });
}

TEST(DetectionBackboneMistakes, ATableWithTheOtherSign) {
  expect_noticed_by_backbone("backbone_tiny.safetensors", [](Inputs& inputs) {
    at::Tensor& table =
        inputs.weights.at(kBottomUp + "windowed_rel_pos_bias.relative_position_bias_table");
    table = table.flip({0});  // key minus query
  });
}

TEST(DetectionBackboneMistakes, PositionsColumnsFirst) {
  expect_noticed_by_backbone("mae_vit_tiny.safetensors", [](Inputs& inputs) {
    at::Tensor& table = inputs.weights.at(kBottomUp + "pos_embed");
    const std::vector<at::Tensor> halves = table.chunk(2, 2);
    table = at::cat({halves[1], halves[0]}, 2);
  });
}

TEST(DetectionBackboneMistakes, RowsForColumns) {
  expect_noticed_by_backbone("official_tiny.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "backbone.net.blocks3.2.attn.rel_pos_h",
                 "backbone.net.blocks3.2.attn.rel_pos_w");
  });
}

TEST(DetectionBackboneMistakes, ABlockOfAnotherPlaceWhereSomeAreDropped) {
  expect_noticed_by_backbone("backbone_droppath.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, kBottomUp + "blocks3.1.attn.proj.weight",
                 kBottomUp + "blocks3.2.attn.proj.weight");
  });
}

}  // namespace
}  // namespace fcm::parity
