// A whole upstream segmenter: its weights, both paths, the compared tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fcm/models/segmenter.h"
#include "reference/reference.h"
#include "tests/parity/cases.h"
#include "tests/parity/comparison.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/run.h"

namespace fcm::parity {

struct SegmentorCase {
  models::SegmenterOptions options;
  reference::Weights weights;  // under the names of models::Segmenter
  int64_t batch = 1;
  uint64_t seed = 0;
  Tensors stored;
};

// Reads the case and applies request.mistake to its weights.
SegmentorCase segmentor_case(const Entry& entry, const Request& request);
// Procedural values by upstream names.
reference::Weights segmentor_weights(const models::SegmenterOptions& options, uint64_t seed);
models::Segmenter segmentor_model(const SegmentorCase& c, at::ScalarType type);
at::Tensor segmentor_pixels(const models::Segmenter& model, const at::Tensor& images_BCHW,
                            const masks::ViewPlan& plan);
masks::ViewPlan plan_of(const at::Tensor& images_BCHW);

at::Tensor as_nchw(const at::Tensor& map_BHWC);
// Bilinear interpolation of logits [B, h, w, K] to [B, K, *size].
at::Tensor upsampled_logits(const at::Tensor& logits_BHWK, at::IntArrayRef size);

// One training pass, then evaluation, by the fast path or the reference.
class SegmentorPath {
 public:
  struct Output {
    std::vector<at::Tensor> features_BCHW;
    at::Tensor decode_BHWK, aux_BHWK;  // logits; evaluate() leaves aux_BHWK undefined
  };
  struct Losses {
    at::Tensor decode, aux;
    double correct = 0;  // correct pixels
  };
  virtual ~SegmentorPath() = default;
  // Results have an autograd graph. Updates the running statistics.
  virtual Output train(const at::Tensor& images_BCHW) = 0;
  virtual Losses losses(const Output& output, const at::Tensor& labels_BHW) const = 0;
  // Uses the initial weights and running statistics, even after train().
  virtual Output evaluate(const at::Tensor& images_BCHW) const = 0;
  // Both in upstream shapes, under the names of models::Segmenter.
  virtual std::map<std::string, at::Tensor> gradients() const = 0;
  virtual std::map<std::string, at::Tensor> statistics() const = 0;
};
std::unique_ptr<SegmentorPath> segmentor_path(const SegmentorCase& c, Path path, Types types);

// Compares computed tensors with tensors that are stored whole or sampled. Ignores computed tensors
// that are not stored.
class StoredTensors {
 public:
  StoredTensors(CaseResult& result, const Entry& entry, const Tensors& stored, bool wide);

  void compare_one(const std::string& name, const at::Tensor& got, double float32);
  int64_t compared() const { return compared_; }

 private:
  CaseResult& result_;
  Entry entry_;
  const Tensors& stored_;
  bool wide_;
  int64_t compared_ = 0;
};

// Whether the exact gradient is zero: biases before a batch norm.
bool has_no_gradient(const std::string& name);

// Compare a training pass of the whole segmenter, or of its backbone alone.
void compare_segmentor_training(CaseResult& result, const Entry& entry, const SegmentorCase& c,
                                Path path, Types types);
void compare_segmentor_backbone(CaseResult& result, const Entry& entry, const SegmentorCase& c,
                                Path path, Types types);

}  // namespace fcm::parity
