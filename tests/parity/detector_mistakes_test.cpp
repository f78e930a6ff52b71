// Planted mistakes in the cases of whole detectors.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/parity/mistakes.h"

namespace fcm::parity {
namespace {

const std::filesystem::path kDetectors = kShared / "goldens/detection";

void expect_noticed_by_detector(const char* file, const InputMistake& mistake) {
  expect_noticed_in(kDetectors, file, mistake, "fast fp32");
}

TEST(DetectorMistakes, BoxesOfTheWrongClass) {
  expect_noticed_by_detector("e2e_tiny.test.safetensors", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("roi_heads.box_predictor.bbox_pred.weight");
    const std::vector<int64_t> sizes = weight.sizes().vec();  // [4 * K, F], class-major
    weight = weight.reshape({-1, 4, sizes[1]}).transpose(0, 1).reshape(sizes);
  });
}

TEST(DetectorMistakes, TablesOfWindowsFlipped) {
  expect_noticed_by_detector("e2e_tiny.train.safetensors", [](Inputs& inputs) {
    at::Tensor& table =
        inputs.weights.at("backbone.bottom_up.windowed_rel_pos_bias.relative_position_bias_table");
    table = table.flip(0);
  });
}

TEST(DetectorMistakes, BinsOfRegionsTransposed) {
  expect_noticed_by_detector("e2e_no_truth.train.safetensors", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("roi_heads.box_head.fc1.weight");
    const std::vector<int64_t> sizes = weight.sizes().vec();  // columns: channel, row, column
    weight = weight.view({sizes[0], -1, 7, 7}).transpose(2, 3).reshape(sizes);
  });
}

}  // namespace
}  // namespace fcm::parity
