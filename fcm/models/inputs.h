// Converts loaded batches to the models' inputs, and runs models on them without gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/loader/loader.h"
#include "fcm/masks/view_plan.h"
#include "fcm/models/classifier.h"
#include "fcm/models/detector.h"
#include "fcm/models/segmenter.h"
#include "fcm/ops/patches.h"
#include "fcm/ops/patchify/op.h"

namespace fcm::models {

ops::Normalisation normalisation(const loader::DataOptions& options);

// A loaded batch as a tensor that shares its memory: uint8 [B, H, W, C].
at::Tensor images_of(const loader::Batch& batch);

// Copies images to a model's device, asynchronously if the device is CUDA.
at::Tensor to_device(const at::Tensor& images_BHWC, at::Device device);

// The patches of images [B, H, W, C] in plan order, normalised: fp32 [B, L, P, D]. Images and plan
// must be on the same device.
at::Tensor pixels_of(const at::Tensor& images_BHWC, const masks::ViewPlan& plan,
                     const ops::PatchGeometry& geometry, const loader::DataOptions& options);

// A batch's images as a classifier's input, on the model's device: fp32 [B, L, P, D], patches in
// raster order.
at::Tensor pixels_of(const loader::Batch& batch, const Classifier& model,
                     const loader::DataOptions& options);

// Logits [B, classes] of a loaded batch, fp32, on the CPU. Without gradients.
at::Tensor logits_of(const Classifier& model, const loader::Batch& batch,
                     const loader::DataOptions& options, at::ScalarType compute);

// The class maps of a loaded batch as a tensor that shares its memory: uint8 [B, H, W].
at::Tensor maps_of(const loader::Batch& batch);

// Logits [N, h / 4, w / 4, K], float32, on the CPU, of normalised windows [N, h, w, C], float32; h
// and w must be multiples of the patch side. Without gradients.
at::Tensor logits_of(const Segmenter& model, const at::Tensor& windows_NHWC,
                     at::ScalarType compute);

// Detections in frames, uint8 [B, H, W, C] as they were loaded: one result per frame, on the CPU,
// float32. Without gradients.
std::vector<Detections> detections_of(const Detector& model, const at::Tensor& frames_BHWC,
                                      const loader::DataOptions& options, at::ScalarType compute);

}  // namespace fcm::models
