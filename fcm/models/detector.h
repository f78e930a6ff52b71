// The model of object detection: Mask R-CNN on a pretrained encoder. It computes the encoder's
// feature maps, a pyramid, proposals, and for each region a class, a box and a mask. A frame is an
// image as the model sees it, padding included. Sources: ConvMAE's DET folder, hustvl/MIMDet,
// OpenGVLab/Official-ConvMAE-Det, all on detectron2; He et al., "Mask R-CNN", ICCV 2017.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fcm/boxes/anchors.h"
#include "fcm/boxes/proposals.h"
#include "fcm/boxes/sampler.h"
#include "fcm/heads/box_head.h"
#include "fcm/heads/feature_pyramid.h"
#include "fcm/heads/mask_head.h"
#include "fcm/heads/rpn.h"
#include "fcm/heads/simple_pyramid.h"
#include "fcm/heads/vit_adaptor.h"
#include "fcm/masks/view_plan.h"
#include "fcm/models/detector_backbone.h"
#include "fcm/nn/cost.h"
#include "fcm/nn/layer.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"
#include "fcm/ops/patches.h"

namespace fcm::models {

struct DetectorOptions {
  // Proposals per image: how many of the best of each level are considered, and how many of all
  // levels are kept.
  struct ProposalCounts {
    int64_t per_level = 0, kept = 0;
  };

  DetectorBackboneOptions backbone;
  int64_t classes = 80;  // background excluded
  int64_t channels = 256, box_features = 1024;
  int64_t sampled_anchors = 256, sampled_regions = 512;  // per image, for the losses
  ProposalCounts training_proposals{2000, 1000}, testing_proposals{1000, 1000};
  double least_score = 0.05;
  int64_t detections = 100;  // per image, at most
};

// The ground truth of one image, on the model's device. Boxes are x0, y0, x1, y1 in pixels of the
// frame.
struct FrameTruth {
  at::Tensor boxes_T4;   // float32; float64 if the model is
  at::Tensor classes_T;  // int64
};

// Detections of one image, by descending score, on the model's device.
struct Detections {
  at::Tensor boxes_N4;   // float32, in pixels of the frame, clipped to it
  at::Tensor scores_N;   // float32: probability of the class
  at::Tensor classes_N;  // int64
  at::Tensor masks_NSS;  // float32: probabilities within the box, S = Detector::kMaskSide
};

// Parameters have the upstream names ("backbone.", "proposal_generator.", "roi_heads.") in the
// upstream order.
class Detector {
 public:
  static constexpr int64_t kMaskSide = 28;

  Detector(const DetectorOptions& options, uint64_t seed,
           const at::TensorOptions& held = at::kFloat);

  const DetectorOptions& options() const { return options_; }
  const ops::PatchGeometry& geometry() const { return backbone_->geometry(); }
  const std::vector<int64_t>& strides() const { return strides_; }  // of p2 to p6, in pixels
  // The grid of the position table, to which a checkpoint's table is resized.
  masks::Grid positions_grid() const;
  at::Device device() const { return parameters_->device(); }
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }
  // The layer of a parameter, for layer decay; those outside of the backbone belong to the last.
  nn::LayerOf layer_of() const;
  masks::ViewPlan plan(int64_t batch) const { return backbone_->plan(batch); }

  // The random numbers of a training pass.
  struct Draws {
    nn::DropPath drop_path;                       // on the model's device
    std::vector<boxes::Choice> anchors, regions;  // one per image: the samples for the losses
  };
  // Keyed by seed, step and sample id, so independent of the number of threads and ranks.
  Draws draw(uint64_t seed, uint64_t step, std::span<const int64_t> sample_ids) const;

  // Returns ground-truth masks for boxes [M, 4] of an image: mask m is that of object truths_M[m],
  // cropped to box m and resampled to S x S, with values 0 and 1. [M, S, S], any dtype, on the
  // model's device.
  using MaskTargets = std::function<at::Tensor(int64_t image, const at::Tensor& boxes_M4,
                                               const at::Tensor& truths_M)>;

  // Scalars with an autograd graph: this rank's shares of means over the anchors and regions of all
  // ranks. Summed over the ranks they are the upstream losses of one process with all images.
  struct Losses {
    at::Tensor rpn_class, rpn_box, box_class, box_deltas, mask;
    int64_t images = 0;            // over all ranks
    int64_t non_finite_count = 0;  // proposals with inf or NaN among this rank's best anchors
    at::Tensor total() const { return rpn_class + rpn_box + box_class + box_deltas + mask; }
    // The losses with their upstream names without "loss_".
    std::vector<std::pair<std::string, at::Tensor>> named() const;
  };
  // pixels [B, L, P, D] in the order of `plan`, which must be plan(B); B truths and draws. Batch
  // normalisation takes statistics over the images of all ranks of `group`, so all of them have to
  // call train(). The observer sees the encoder (encoder/encoder.h), "p2" to "p6" [B, H, W, C],
  // "proposals.<image>", "objectness.<image>", "box_scores", "box_deltas", and "mask_logits" of
  // each foreground region's true class.
  Losses train(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan, at::ScalarType compute,
               const Draws& draws, const std::vector<FrameTruth>& truths,
               const MaskTargets& mask_targets, const std::shared_ptr<dist::Group>& group,
               const nn::Observer& observer = {});

  // One result per image, with running statistics and without gradients. The observer sees the
  // encoder, the pyramid and the proposals.
  std::vector<Detections> detect(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                 at::ScalarType compute, const nn::Observer& observer = {}) const;

 private:
  struct Regions;  // of several images, concatenated

  std::vector<at::Tensor> pyramid(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                  at::ScalarType compute, const nn::DropPath& drop_path,
                                  const nn::Ranks& ranks, const nn::Observer& observer) const;
  boxes::FrameAnchors anchors_of(const std::vector<at::Tensor>& maps, at::ScalarType type) const;
  std::vector<boxes::Proposals> proposals(const std::vector<heads::AnchorPredictions>& levels,
                                          const boxes::FrameAnchors& anchors,
                                          const DetectorOptions::ProposalCounts& counts,
                                          const nn::Observer& observer) const;
  Regions sampled_regions(const std::vector<boxes::Proposals>& proposals,
                          const std::vector<FrameTruth>& truths, const Draws& draws) const;
  at::Tensor region_features(const std::vector<at::Tensor>& maps, const at::Tensor& boxes_R4,
                             const at::Tensor& image_R, int64_t bins) const;

  DetectorOptions options_;
  std::unique_ptr<nn::Parameters> parameters_;
  std::optional<heads::FeaturePyramid> pyramid_;        // kSharedTables
  std::optional<heads::SimplePyramid> simple_pyramid_;  // kDecomposed
  std::unique_ptr<DetectorBackbone> backbone_;
  std::optional<heads::VitAdaptor> adaptor_;  // vit
  std::optional<heads::RpnHead> rpn_;
  std::optional<heads::BoxHead> box_;
  std::optional<heads::MaskHead> mask_;
  std::vector<int64_t> strides_;
  std::unique_ptr<boxes::Anchors> anchors_;
};

// The cost of training on one image.
nn::Cost cost(const DetectorOptions& options);

}  // namespace fcm::models
