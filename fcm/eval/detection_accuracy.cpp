#include "fcm/eval/detection_accuracy.h"

#include <ATen/ATen.h>

#include <array>
#include <span>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/eval/unreadable.h"
#include "fcm/image/image_boxes.h"
#include "fcm/image/paste_mask.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::eval {
namespace {

std::array<double, 4> as_corner_and_size(double x0, double y0, double x1, double y1) {
  return {x0, y0, x1 - x0, y1 - y0};
}

at::Tensor frame_tensor(const image::Image& frame) {
  // The const_cast is safe: the tensor is only read.
  return at::from_blob(const_cast<uint8_t*>(frame.pixels.data()),
                       {1, frame.rows, frame.cols, frame.channels}, at::kByte);
}

}  // namespace

loader::FrameOptions frame_options(const recipe::Recipe& recipe) {
  return {recipe.data, recipe.detect().jitter};
}

std::vector<CocoDetection> detections_in_image(const models::Detections& found, int64_t side,
                                               loader::Extent image) {
  const at::Tensor boxes_N4 = found.boxes_N4.contiguous(), scores_N = found.scores_N.contiguous();
  const at::Tensor classes_N = found.classes_N.contiguous();
  const at::Tensor masks_NSS = found.masks_NSS.contiguous();
  const int64_t mask_side = masks_NSS.size(1), mask_size = mask_side * mask_side;
  std::vector<std::array<float, 4>> boxes(static_cast<size_t>(boxes_N4.size(0)));
  const auto* corner = boxes_N4.const_data_ptr<float>();
  for (std::array<float, 4>& box : boxes) {
    std::copy_n(corner, 4, box.begin());
    corner += 4;
  }
  std::vector<CocoDetection> objects;
  for (const image::ImageBox& one :
       image::boxes_in_image(boxes, side, side, image.rows, image.cols)) {
    const auto& [x0, y0, x1, y1] = one.box;
    const std::span probabilities(masks_NSS.const_data_ptr<float>() + one.index * mask_size,
                                  static_cast<size_t>(mask_size));
    objects.push_back(
        {as_corner_and_size(x0, y0, x1, y1), scores_N.const_data_ptr<float>()[one.index],
         classes_N.const_data_ptr<int64_t>()[one.index],
         image::paste_mask(probabilities, mask_side, one.box, image.rows, image.cols)});
  }
  return objects;
}

std::vector<CocoDetection> objects_in_frame(const FindObjects& find, const image::Image& frame,
                                            loader::Extent image) {
  const std::vector<models::Detections> found = find(frame_tensor(frame));
  require(found.size() == 1, "expected one result for one frame, got {}", found.size());
  return detections_in_image(found[0], frame.rows, image);
}

std::vector<CocoTruth> truths_of(const loader::Instances& labelled) {
  std::vector<CocoTruth> truths;
  for (const loader::Instance& one : labelled.instances) {
    const auto& [x0, y0, x1, y1] = one.box;
    truths.push_back({as_corner_and_size(x0, y0, x1, y1), one.class_number, one.crowd, one.area,
                      loader::mask_of(one, labelled.rows, labelled.cols)});
  }
  return truths;
}

DetectionAccuracy detection_accuracy(const FindObjects& find, int64_t classes,
                                     const recipe::Recipe& recipe,
                                     const std::shared_ptr<const loader::Dataset>& dataset,
                                     int64_t threads, dist::Group& group,
                                     const OnDetections& on_image) {
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  CocoEvaluation boxes(classes, CocoShape::kBox), masks(classes, CocoShape::kMask);
  const auto bad = loader::for_each_frame(
      {dataset, frame_options(recipe), threads, {group.rank(), group.size()}},
      [&](loader::TestFrame&& frame) {
        const std::vector<CocoDetection> found = objects_in_frame(find, frame.frame, frame.image);
        const loader::Instances labelled = dataset->instances(frame.index);
        const std::vector<CocoTruth> truths = truths_of(labelled);
        boxes.add(labelled.image, found, truths);
        masks.add(labelled.image, found, truths);
        if (on_image) on_image(frame.index, found);
      });
  boxes.add_other_ranks(group);
  masks.add_other_ranks(group);
  DetectionAccuracy accuracy{boxes.result(), masks.result(), 0, reasons_of_all(bad, group)};
  accuracy.images = accuracy.box.images;
  if (accuracy.images == 0) fail(ExitCode::kData, "there is no readable image to measure on");
  return accuracy;
}

}  // namespace fcm::eval
