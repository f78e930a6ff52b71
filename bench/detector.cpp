// Speed of a detector: a training step and the objects of an image, compared with the reference.
#include "reference/detector.h"

#include <ATen/ATen.h>

#include <memory>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "bench/learner_step.h"
#include "bench/predict.h"
#include "bench/reference_training.h"
#include "bench/step_timing.h"
#include "fcm/boxes/sampler.h"
#include "fcm/eval/detection_accuracy.h"
#include "fcm/loader/frame_testing.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/learners/detect.h"

namespace fcm::bench {
namespace {

constexpr int64_t kObjectClasses = 80;  // COCO's, if the recipe takes them from the data

reference::DetectorOptions reference_detector(const models::Detector& model,
                                              at::ScalarType compute) {
  const models::DetectorOptions& own = model.options();
  reference::DetectorOptions options;
  static_cast<reference::EncoderSizes&>(options) = reference::encoder_sizes(own.backbone);
  options.decomposed = own.backbone.form == models::BackboneForm::kDecomposed;
  options.window = own.backbone.window;
  options.global_blocks = own.backbone.global_blocks;
  options.compute = compute;
  options.classes = own.classes;
  options.strides = model.strides();
  options.sampled_anchors = own.sampled_anchors;
  options.sampled_regions = own.sampled_regions;
  options.training_proposals = {own.training_proposals.per_level, own.training_proposals.kept};
  options.testing_proposals = {own.testing_proposals.per_level, own.testing_proposals.kept};
  return options;
}

models::Detector make_detector(const recipe::Recipe& recipe, at::Device device) {
  const int64_t named = recipe.detect().detector.classes;
  return models::Detector(recipe::detector_options(recipe, named > 0 ? named : kObjectClasses), 0,
                          device);
}

// From bytes [B, H, W, 3] to the reference's input: [B, 3, H, W], normalised.
at::Tensor normalised_images(const at::Tensor& images_BHWC, const loader::DataOptions& data,
                             at::Device device) {
  const at::Tensor mean_311 = at::tensor(data.mean, at::kFloat).view({3, 1, 1}),
                   stddev_311 = at::tensor(data.stddev, at::kFloat).view({3, 1, 1});
  const at::Tensor images_BCHW = images_BHWC.permute({0, 3, 1, 2}).to(at::kFloat) / 255;
  return ((images_BCHW - mean_311) / stddev_311).contiguous().to(device);
}

// Corners and class of each object: [N, 5], float64, on the CPU.
at::Tensor corners_and_classes(const at::Tensor& boxes_N4, const at::Tensor& classes_N) {
  return at::cat({boxes_N4.cpu().to(at::kDouble), classes_N.cpu().to(at::kDouble).view({-1, 1})},
                 1);
}

// The share of objects in `some` that `all` has too: of the same class, with corners at most half a
// pixel away. Scores differ by rounding, so NMS may keep a box in one and suppress it in the other.
double share_found_in(const at::Tensor& all_M5, const at::Tensor& some_N5) {
  const at::Tensor apart_NM = (some_N5.unsqueeze(1) - all_M5.unsqueeze(0)).abs().amax(2);
  return apart_NM.amin(1).lt(0.5).to(at::kDouble).mean().item<double>();
}

// Trains like `fast`: with its random draws (drop path, sampling of anchors and regions) and its
// mask targets, but with proposals of the reference.
class ReferenceDetector final : public ReferenceTraining {
 public:
  ReferenceDetector(const recipe::Recipe& recipe, const train::DetectorLearner& fast,
                    const loader::Batch& batch, at::ScalarType compute)
      : ReferenceTraining(fast.model().parameters(), fast.optimizer().groups(), recipe.optim),
        model_(fast.model()),
        ids_(batch.sample_ids),
        labelled_(batch.targets.instances()),
        options_(reference_detector(model_, compute)) {
    images_BCHW_ = normalised_images(models::images_of(batch), recipe.data, model_.device());
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

  at::Tensor masks_within(int64_t image, const at::Tensor& boxes_M4,
                          const at::Tensor& truths_M) const {
    constexpr int64_t kSide = models::Detector::kMaskSide;
    const at::Tensor boxes = boxes_M4.cpu().to(at::kFloat).contiguous();
    const at::Tensor truths = truths_M.cpu();
    std::vector<at::Tensor> masks;
    for (int64_t i = 0; i < boxes.size(0); ++i) {
      const auto* corner = boxes.const_data_ptr<float>() + 4 * i;
      const loader::Instances& of = labelled_[static_cast<size_t>(image)];
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
      return [&choices, total, most_positive](int64_t image, const at::Tensor& label_N) {
        const boxes::Sampled sampled = boxes::sample(label_N.to(at::kChar), {total, most_positive},
                                                     choices[static_cast<size_t>(image)]);
        return std::pair(sampled.positive_P, sampled.negative_Q);
      };
    };
    reference::DetectorTrainingDraws pass;
    pass.drop_path = draws.drop_path;
    pass.anchors = choose(draws.anchors, options_.sampled_anchors, options_.sampled_anchors / 2);
    pass.regions = choose(draws.regions, options_.sampled_regions, options_.sampled_regions / 4);
    pass.masks = [this](int64_t image, const at::Tensor& boxes_M4, const at::Tensor& truths_M) {
      return masks_within(image, boxes_M4, truths_M);
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
  train::DetectorLearner learner(make_detector(recipe, device), recipe, request.machine.group);
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

nlohmann::json bench_detector_predict(const BenchPredictRequest& request,
                                      const recipe::Recipe& recipe, Reporter& reporter) {
  const at::Device device = tasks::device_of(request.machine);
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, device);
  recipe::Recipe any_score = recipe;  // an untrained network has only low scores
  any_score.detect().detector.score = 0;
  const models::Detector model = make_detector(any_score, device);
  const loader::TestFrame frame = loader::frame_for_testing(
      noise_image(request.size[0], request.size[1], 3), eval::frame_options(any_score));
  const at::Tensor frames_1HWC =
      at::tensor(at::ArrayRef<uint8_t>(frame.frame.pixels), at::kByte)
          .view({1, frame.frame.rows, frame.frame.cols, frame.frame.channels});
  const reference::Weights weights = published_weights(model.parameters());
  reference::DetectorOptions options = reference_detector(model, compute);
  options.least_score = 0;
  options.detections = any_score.detect().detector.detections;
  const at::Tensor images_1CHW = normalised_images(frames_1HWC, any_score.data, device);

  at::Tensor fast_N5, plain_N5;
  nlohmann::json result =
      time_forms({[&] {
                    const auto found = detections_of(model, frames_1HWC, any_score.data, compute);
                    fast_N5 = corners_and_classes(found[0].boxes_N4, found[0].classes_N);
                  },
                  [&] {
                    const auto found = reference::find_objects(weights, options, images_1CHW);
                    plain_N5 = corners_and_classes(found[0].boxes_N4, found[0].classes_N);
                  }},
                 request, compute, reporter);
  result["objects"] = (fast_N5.defined() ? fast_N5 : plain_N5).size(0);
  if (fast_N5.defined() && plain_N5.defined()) {
    result["same_objects"] = share_found_in(plain_N5, fast_N5);
  }
  return result;
}

}  // namespace fcm::bench
