// Planted mistakes in the cases of boxes, RoIAlign and masks.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/parity/mistakes.h"

namespace fcm::parity {
namespace {

const std::filesystem::path kDetection = kShared / "goldens/detection";

// Maps boxes [x0, y0, x1, y1] to wrong boxes. In a stored tensor they begin at column `first`.
using ChangeOfBoxes = std::function<at::Tensor(const at::Tensor& boxes_R4)>;
void expect_box_mistake_noticed(const std::string& file, const std::string& name, int64_t first,
                                const ChangeOfBoxes& change) {
  SCOPED_TRACE(file + " " + name);
  expect_noticed_in(kDetection, file, [&](Inputs& inputs) {
    at::Tensor& boxes = inputs.weights.at(name);
    boxes = boxes.clone();
    boxes.narrow(1, first, 4).copy_(change(boxes.narrow(1, first, 4).clone()));
  });
}

at::Tensor swapped_axes(const at::Tensor& boxes_R4) {
  return boxes_R4.index_select(1, at::tensor({1, 0, 3, 2}, at::kLong));
}
at::Tensor one_pixel_longer(const at::Tensor& boxes_R4) {
  return boxes_R4 + at::tensor({0.F, 0.F, 1.F, 1.F});
}

TEST(DetectionOpsMistakes, BinsOfOtherBoxes) {
  // Boxes as without the offset of half a cell, which is two pixels at stride 4.
  const auto no_half = [](const at::Tensor& boxes_R4) { return boxes_R4 + 2; };
  for (const ChangeOfBoxes& mistake :
       {ChangeOfBoxes(no_half), {swapped_axes}, {one_pixel_longer}}) {
    expect_box_mistake_noticed("roi_align.safetensors", "rois", 1, mistake);
    expect_box_mistake_noticed("roi_pooler.safetensors", "boxes.1", 0, mistake);
  }
}

TEST(DetectionOpsMistakes, BinsOfAnotherImage) {
  expect_noticed_in(kDetection, "roi_align.safetensors", [](Inputs& inputs) {
    at::Tensor& features = inputs.weights.at("features");
    features = features.flip(0);
  });
}

TEST(DetectionOpsMistakes, OtherScoresAndClasses) {
  for (const std::string name : {"few.scores", "many.class", "ties.boxes"}) {
    SCOPED_TRACE(name);
    expect_noticed_in(kDetection, "nms.safetensors", [&](Inputs& inputs) {
      at::Tensor& one = inputs.weights.at(name);
      one = one.flip(0).contiguous();
    });
  }
}

TEST(DetectionOpsMistakes, MasksInOtherPlaces) {
  const auto half_a_pixel = [](const at::Tensor& boxes_R4) { return boxes_R4 + 0.5; };
  for (const ChangeOfBoxes& mistake :
       {ChangeOfBoxes(half_a_pixel), {swapped_axes}, {one_pixel_longer}}) {
    expect_box_mistake_noticed("paste_masks.safetensors", "boxes", 0, mistake);
    expect_box_mistake_noticed("postprocess.safetensors", "1.boxes", 0, mistake);
  }
  expect_noticed_in(kDetection, "postprocess.safetensors", [](Inputs& inputs) {
    at::Tensor& masks = inputs.weights.at("0.masks");
    masks = masks.transpose(1, 2).contiguous();
  });
}

}  // namespace
}  // namespace fcm::parity
