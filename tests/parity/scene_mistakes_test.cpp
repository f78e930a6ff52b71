// Planted mistakes in images and maps of segmentation.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/parity/mistakes.h"

namespace fcm::parity {
namespace {

const std::filesystem::path kSegmentation = kShared / "goldens/segmentation";

// Adds `by` to the element `place` of an input and expects the cases to fail.
void expect_change_noticed_of(const std::string& file, const std::string& input, int64_t place,
                              int64_t by) {
  expect_noticed_in(kSegmentation, file, [&](Inputs& inputs) {
    at::Tensor& tensor = inputs.weights.at(input);
    tensor = tensor.clone();
    tensor.view(-1)[place] += by;
  });
}

// The changes are large enough to survive bilinear weights (images), or at elements that nearest
// sampling reads (maps).
TEST(SceneMistakes, OneWrongValue) {
  expect_change_noticed_of("train_pipeline.safetensors", "case0.picture", 16000, 40);
  expect_change_noticed_of("train_pipeline.safetensors", "case4.raw_label", 0, 1);
  expect_change_noticed_of("test_pipeline.safetensors", "case1.picture", 1000, 4);
  expect_change_noticed_of("resize.safetensors", "case2.picture", 100, 4);
  expect_change_noticed_of("resize.safetensors", "case0.label", 0, 1);
  expect_change_noticed_of("colour.safetensors", "rgb", 101, 1);
  expect_change_noticed_of("colour_convert.safetensors", "factors", 3, 1);
}

TEST(SceneMistakes, ACropWithoutItsSecondClass) {
  expect_noticed_in(kSegmentation, "crop_rule.safetensors", [](Inputs& inputs) {
    for (auto& [name, label] : inputs.weights) label = at::zeros_like(label);
  });
}

TEST(SceneMistakes, AMirroredImage) {
  expect_noticed_in(kSegmentation, "train_pipeline.safetensors", [](Inputs& inputs) {
    at::Tensor& image = inputs.weights.at("case3.picture");
    image = image.flip(1).contiguous();
  });
}

}  // namespace
}  // namespace fcm::parity
