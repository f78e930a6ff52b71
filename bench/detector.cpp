// Speed of a detector: a training step beside the published form.
#include "reference/detector.h"

#include <ATen/ATen.h>

#include <memory>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "bench/learner_step.h"
#include "bench/published_form.h"
#include "bench/step_timing.h"
#include "fcm/boxes/sampler.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/learners/detect.h"

namespace fcm::bench {
namespace {

constexpr int64_t kObjectClasses = 80;  // COCO's, where the recipe leaves them to the data

reference::DetectorOptions reference_detector(const models::DetectorOptions& own,
                                              at::ScalarType compute) {
  reference::DetectorOptions options;
  static_cast<reference::EncoderSizes&>(options) = reference::encoder_sizes(own.backbone);
  options.decomposed = own.backbone.form == models::BackboneForm::kDecomposed;
  options.window = own.backbone.window;
  options.global_blocks = own.backbone.global_blocks;
  options.compute = compute;
  options.classes = own.classes;
  options.sampled_anchors = own.sampled_anchors;
  options.sampled_regions = own.sampled_regions;
  options.training_proposals = {own.training_proposals.per_level, own.training_proposals.kept};
  options.testing_proposals = {own.testing_proposals.per_level, own.testing_proposals.kept};
  return options;
}

// Learns what the detector learns: the same draws of anchors and regions from what it proposes
// itself, the same masks.
class ReferenceDetector final : public PublishedForm {
 public:
  ReferenceDetector(const recipe::Recipe& recipe, const train::DetectorLearner& fast,
                    const loader::Batch& batch, at::ScalarType compute)
      : PublishedForm(fast.model().parameters(), fast.optimizer().groups(), recipe.optim),
        model_(fast.model()),
        ids_(batch.sample_ids),
        labelled_(batch.targets.instances()),
        options_(reference_detector(model_.options(), compute)) {
    const at::Tensor mean_311 = at::tensor(recipe.data.mean, at::kFloat).view({3, 1, 1}),
                     deviation_311 = at::tensor(recipe.data.deviation, at::kFloat).view({3, 1, 1});
    const at::Tensor pictures_BCHW =
        models::pictures_of(batch).permute({0, 3, 1, 2}).to(at::kFloat) / 255;
    images_BCHW_ = ((pictures_BCHW - mean_311) / deviation_311).contiguous().to(model_.device());
    for (const loader::Instances& one : labelled_) frames_.push_back(frame_of(one));
  }

 private:
  reference::LabelledFrame frame_of(const loader::Instances& labelled) const {
    std::vector<float> boxes;
    std::vector<int64_t> classes;
    for (const loader::Instance& one : labelled.instances) {
      for (const double side : one.box) boxes.push_back(static_cast<float>(side));
      classes.push_back(one.class_number);
    }
    return {at::tensor(boxes).view({-1, 4}).to(model_.device()),
            at::tensor(classes, at::kLong).to(model_.device())};
  }

  at::Tensor masks_within(int64_t picture, const at::Tensor& boxes_M4,
                          const at::Tensor& truths_M) const {
    constexpr int64_t kSide = models::Detector::kMaskSide;
    const at::Tensor boxes = boxes_M4.cpu().to(at::kFloat).contiguous();
    const at::Tensor truths = truths_M.cpu();
    std::vector<at::Tensor> masks;
    for (int64_t i = 0; i < boxes.size(0); ++i) {
      const auto* corner = boxes.const_data_ptr<float>() + 4 * i;
      const loader::Instances& of = labelled_[static_cast<size_t>(picture)];
      std::vector<uint8_t> mask =
          loader::mask_target_of(of.instances[static_cast<size_t>(truths[i].item<int64_t>())],
                                 {corner[0], corner[1], corner[2], corner[3]}, kSide);
      masks.push_back(at::from_blob(mask.data(), {kSide, kSide}, at::kByte).to(at::kFloat));
    }
    return at::stack(masks).to(model_.device());
  }

  at::Tensor loss() override {
    const models::Detector::Draws draws = model_.draw(0, 0, ids_);
    const auto choose = [](const std::vector<boxes::Choice>& choices, int64_t total,
                           int64_t most_positive) {
      return [&choices, total, most_positive](int64_t picture, const at::Tensor& label_N) {
        const boxes::Sampled sampled = boxes::sample(label_N.to(at::kChar), {total, most_positive},
                                                     choices[static_cast<size_t>(picture)]);
        return std::pair(sampled.positive_P, sampled.negative_Q);
      };
    };
    reference::DetectorPass pass;
    pass.drop_path = draws.drop_path;
    pass.anchors = choose(draws.anchors, options_.sampled_anchors, options_.sampled_anchors / 2);
    pass.regions = choose(draws.regions, options_.sampled_regions, options_.sampled_regions / 4);
    pass.masks = [this](int64_t picture, const at::Tensor& boxes_M4, const at::Tensor& truths_M) {
      return masks_within(picture, boxes_M4, truths_M);
    };
    return reference::detector_losses(weights(), options_, images_BCHW_, frames_, pass).total();
  }

  const models::Detector& model_;
  std::vector<int64_t> ids_;
  std::vector<loader::Instances> labelled_;
  reference::DetectorOptions options_;
  std::vector<reference::LabelledFrame> frames_;
  at::Tensor images_BCHW_;
};

}  // namespace

nlohmann::json bench_detector_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                   at::Device device, int64_t threads, Reporter& reporter,
                                   TimedGroup* timed) {
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, device);
  const int64_t named = recipe.detect().detector.classes;
  train::DetectorLearner learner(
      models::Detector(recipe::detector_options(recipe, named > 0 ? named : kObjectClasses), 0,
                       device),
      recipe, request.machine.group);
  const loader::Batch batch = noise_frames(recipe, request.batch, learner.model().options().classes,
                                           *request.machine.group);
  LearnerStep fast(learner, batch);
  std::unique_ptr<ReferenceDetector> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<ReferenceDetector>(recipe, learner, batch, compute);
  }
  return time_steps(
      request, fast, reference.get(),
      {threads, compute, recipe::training_flops(recipe), learner.trainable_elements(), device},
      reporter, timed);
}

}  // namespace fcm::bench
