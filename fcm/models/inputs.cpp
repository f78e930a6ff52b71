#include "fcm/models/inputs.h"

#include <ATen/ATen.h>

namespace fcm::models {

ops::Normalisation normalisation(const loader::DataOptions& options) {
  return {options.mean, options.stddev};
}

at::Tensor images_of(const loader::Batch& batch) {
  // from_blob wants a mutable pointer; nothing writes through it.
  return at::from_blob(const_cast<uint8_t*>(batch.pixels_BHWC.data()),
                       {batch.batch, batch.rows, batch.cols, batch.channels}, at::kByte);
}

at::Tensor to_device(const at::Tensor& images_BHWC, at::Device device) {
  if (!device.is_cuda()) return images_BHWC.to(device);
  // The copy from pinned memory overlaps with the CPU's work on plans. LibTorch does not reuse the
  // pinned memory before the copy is done.
  return images_BHWC.pin_memory().to(device, /*non_blocking=*/true);
}

at::Tensor pixels_of(const at::Tensor& images_BHWC, const masks::ViewPlan& plan,
                     const ops::PatchGeometry& geometry, const loader::DataOptions& options) {
  return ops::patchify(images_BHWC, plan.order_BL, geometry, normalisation(options), at::kFloat);
}

at::Tensor pixels_of(const loader::Batch& batch, const Classifier& model,
                     const loader::DataOptions& options) {
  const masks::ViewPlan plan = masks::full_plan(batch.batch, model.grid()).to(model.device());
  return pixels_of(to_device(images_of(batch), model.device()), plan, model.geometry(), options);
}

at::Tensor logits_of(const Classifier& model, const loader::Batch& batch,
                     const loader::DataOptions& options, at::ScalarType compute) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::full_plan(batch.batch, model.grid()).to(model.device());
  return model.classify(model.features(pixels_of(batch, model, options), plan, compute))
      .to(at::kFloat)
      .cpu();
}

at::Tensor maps_of(const loader::Batch& batch) {
  const loader::ClassMaps& maps = batch.targets.maps();
  return at::from_blob(const_cast<uint8_t*>(maps.classes_BHW.data()),
                       {batch.batch, maps.rows, maps.cols}, at::kByte);
}

at::Tensor logits_of(const Segmenter& model, const at::Tensor& windows_NHWC,
                     at::ScalarType compute) {
  const at::NoGradGuard no_grad;
  const int64_t side = model.geometry().patch_side();
  const masks::Grid grid{windows_NHWC.size(1) / side, windows_NHWC.size(2) / side};
  const masks::ViewPlan plan = masks::full_plan(windows_NHWC.size(0), grid).to(model.device());
  const at::Tensor pixels_BLPD =
      ops::patchify_normalised(to_device(windows_NHWC, model.device()).permute({0, 3, 1, 2}),
                               plan.order_BL, model.geometry());
  return model.evaluate(pixels_BLPD, plan, compute).to(at::kFloat).cpu();
}

std::vector<Detections> detections_of(const Detector& model, const at::Tensor& frames_BHWC,
                                      const loader::DataOptions& options, at::ScalarType compute) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = model.plan(frames_BHWC.size(0)).to(model.device());
  const at::Tensor pixels_BLPD =
      pixels_of(to_device(frames_BHWC, model.device()), plan, model.geometry(), options);
  std::vector<Detections> found = model.detect(pixels_BLPD, plan, compute);
  for (Detections& one : found) {
    one = {one.boxes_N4.to(at::kFloat).cpu(), one.scores_N.to(at::kFloat).cpu(),
           one.classes_N.cpu(), one.masks_NSS.to(at::kFloat).cpu()};
  }
  return found;
}

}  // namespace fcm::models
