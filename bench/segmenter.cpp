// Speed of a segmenter: a training step and the sliding-window map of an image, compared with the
// reference.
#include "reference/segmenter.h"

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "bench/learner_step.h"
#include "bench/predict.h"
#include "bench/reference_training.h"
#include "bench/step_timing.h"
#include "fcm/base/error.h"
#include "fcm/eval/segmentation_accuracy.h"
#include "fcm/loader/scene_pixels.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/learners/segment.h"
#include "reference/segmentation.h"

namespace fcm::bench {
namespace {

constexpr int64_t kMapClasses = 150;  // ADE20K's, if the recipe takes them from the data

reference::SegmenterOptions reference_segmenter(const models::SegmenterOptions& own,
                                                at::ScalarType compute) {
  reference::SegmenterOptions options;
  static_cast<reference::EncoderSizes&>(options) = reference::encoder_sizes(own);
  options.taps = own.taps;
  options.compute = compute;
  return options;
}

models::Segmenter make_segmenter(const recipe::Recipe& recipe, at::Device device) {
  const int64_t named = recipe.segment().segmenter.classes;
  return models::Segmenter(recipe::segmenter_options(recipe, named > 0 ? named : kMapClasses), 0,
                           device);
}

// The upstream program also computes an accuracy in every step; this does not.
class ReferenceSegmenter final : public ReferenceTraining {
 public:
  ReferenceSegmenter(const recipe::Recipe& recipe, const train::SegmenterLearner& fast,
                     const loader::Batch& batch, at::ScalarType compute)
      : ReferenceTraining(fast.model().parameters(), fast.optimizer().groups(), recipe.optim),
        model_(fast.model()),
        ids_(batch.sample_ids),
        aux_weight_(recipe.segment().segmenter.aux_weight),
        options_(reference_segmenter(model_.options(), compute)) {
    std::vector<float> pixels = loader::normalised_scene_pixels(batch, recipe.data);
    images_BCHW_ =
        at::from_blob(pixels.data(), {batch.batch, batch.rows, batch.cols, batch.channels})
            .permute({0, 3, 1, 2})
            .clone(at::MemoryFormat::Contiguous)
            .to(model_.device());
    labels_BHW_ = models::maps_of(batch).to(model_.device(), at::kLong);
  }

 private:
  at::Tensor loss() override {
    const models::Segmenter::Draws draws = model_.draw(0, 0, ids_);
    const reference::SegmenterLogits logits = reference::segment(
        weights(), options_, images_BCHW_, {true, draws.drop_path, draws.decode_BC, draws.aux_BC});
    return reference::segmentation_loss(logits.decode_BKHW, labels_BHW_) +
           reference::segmentation_loss(logits.aux_BKHW, labels_BHW_) * aux_weight_;
  }

  const models::Segmenter& model_;
  std::vector<int64_t> ids_;
  double aux_weight_;
  reference::SegmenterOptions options_;
  at::Tensor images_BCHW_, labels_BHW_;
};

}  // namespace

nlohmann::json bench_segmenter_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                    at::Device device, int64_t threads, Reporter& reporter,
                                    TimedGroup* timed) {
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, device);
  train::SegmenterLearner learner(make_segmenter(recipe, device), recipe, request.machine.group);
  const loader::Batch batch = noise_scenes(recipe, request.batch, learner.model().options().classes,
                                           *request.machine.group);
  LearnerStep fast(learner, batch);
  std::unique_ptr<ReferenceSegmenter> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<ReferenceSegmenter>(recipe, learner, batch, compute);
  }
  return time_steps(
      request, fast, reference.get(),
      {threads, compute, recipe::training_flops(recipe), learner.trainable_elements(), device},
      reporter, timed);
}

nlohmann::json bench_segmenter_predict(const BenchPredictRequest& request,
                                       const recipe::Recipe& recipe, Reporter& reporter) {
  const std::vector<int64_t>& crop = recipe.data.image_size;
  const std::vector<int64_t>& stride = recipe.segment().segmenter.stride;
  if (request.size[0] < crop[0] || request.size[1] < crop[1]) {
    fail(ExitCode::kUsage,
         "--rows {} --cols {}: no side may be shorter than that of a window, {} x {}",
         request.size[0], request.size[1], crop[0], crop[1]);
  }
  const at::Device device = tasks::device_of(request.machine);
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, device);
  const models::Segmenter model = make_segmenter(recipe, device);
  const image::Image image = noise_image(request.size[0], request.size[1], recipe.data.channels);
  const eval::WindowLogits logits = [&](const at::Tensor& windows_NHWC) {
    return models::logits_of(model, windows_NHWC, compute);
  };
  const reference::Weights weights = published_weights(model.parameters());
  const reference::SegmenterOptions options = reference_segmenter(model.options(), compute);
  std::vector<float> values = loader::normalised_scene_pixels(image, recipe.data);
  const at::Tensor image_1CHW =
      at::from_blob(values.data(), {1, image.rows, image.cols, image.channels})
          .permute({0, 3, 1, 2})
          .contiguous()
          .to(device);

  at::Tensor fast_HW, plain_HW;
  nlohmann::json result = time_forms(
      {[&] { fast_HW = eval::classes_of_scene(logits, recipe, image, image.rows, image.cols); },
       [&] {
         plain_HW = reference::slide(weights, options, image_1CHW, {stride[0], stride[1]},
                                     image.rows, image.cols)
                        .cpu();
       }},
      request, compute, reporter);
  const eval::SlideOptions windows{crop[0], crop[1], stride[0], stride[1]};
  result["windows"] = eval::slide_windows(image.rows, image.cols, windows).size();
  if (fast_HW.defined() && plain_HW.defined()) {
    result["same_class"] = fast_HW.eq(plain_HW).to(at::kDouble).mean().item<double>();
  }
  return result;
}

}  // namespace fcm::bench
