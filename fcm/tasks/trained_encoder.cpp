#include "fcm/tasks/trained_encoder.h"

#include <ATen/ATen.h>

#include <memory>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/eval/attention.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/load_any.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/trained_detector.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/tasks/trained_segmenter.h"

namespace fcm::tasks {
namespace {

// A network's forward pass over pixels in the order of `plan`; `observer` gets intermediate values.
using Pass = std::function<void(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                at::ScalarType compute, const nn::Observer& observer)>;

at::Tensor images_of(const image::Image& image) {
  return at::from_blob(const_cast<uint8_t*>(image.pixels.data()),
                       {1, image.rows, image.cols, image.channels}, at::kByte);
}

// The output [L, C] of the last block, in raster order and without a class token. The observer gets
// the tokens in the order of the plan, after the class token if there is one.
at::Tensor last_tokens(const image::Image& image, const recipe::Recipe& recipe,
                       const ops::PatchGeometry& geometry, const masks::ViewPlan& plan,
                       const Pass& pass) {
  const at::NoGradGuard no_grad;
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  const at::Device device = plan.order_BL.device();
  const at::Tensor pixels_BLPD =
      models::pixels_of(models::to_device(images_of(image), device), plan, geometry, recipe.data);
  const std::string wanted = eval::name_of_last_block(recipe);
  at::Tensor tokens;
  pass(pixels_BLPD, plan, recipe::compute_type(recipe.model.precision, device),
       [&](const std::string& name, const at::Tensor& value) {
         if (name == wanted) tokens = value;
       });
  require(tokens.defined(), "the encoder did not pass {} to the observer", wanted);
  const at::Tensor all_TC = tokens.reshape({-1, tokens.size(-1)}).to(at::kFloat).cpu();
  const at::Tensor tokens_LC = all_TC.narrow(0, all_TC.size(0) - plan.patches(), plan.patches());
  return tokens_LC.index_select(0, plan.cpu_order_BL[0].argsort());
}

TrainedEncoder of_segmenter(TrainedSegmenter loaded, at::Device device) {
  const auto trained = std::make_shared<TrainedSegmenter>(std::move(loaded));
  const models::Segmenter& model = *trained->model;
  return {trained->recipe, 0, model.grid(), model.geometry().patch_side(),
          [trained, device](const image::Image& image) {
            const models::Segmenter& segmenter = *trained->model;
            return last_tokens(image, trained->recipe, segmenter.geometry(),
                               masks::full_plan(1, segmenter.grid()).to(device),
                               [&](const auto&... pass) { segmenter.evaluate(pass...); });
          }};
}

TrainedEncoder of_detector(TrainedDetector loaded, at::Device device) {
  const auto trained = std::make_shared<TrainedDetector>(std::move(loaded));
  const models::Detector& model = *trained->model;
  return {trained->recipe, 0, model.plan(1).grid, model.geometry().patch_side(),
          [trained, device](const image::Image& image) {
            const models::Detector& detector = *trained->model;
            return last_tokens(image, trained->recipe, detector.geometry(),
                               detector.plan(1).to(device),
                               [&](const auto&... pass) { detector.detect(pass...); });
          }};
}

TrainedEncoder of_model(TrainedModel loaded) {
  const auto trained = std::make_shared<TrainedModel>(std::move(loaded));
  const models::MaskedAutoencoder& model = *trained->model;
  return {trained->recipe, trained->step, model.grid(), model.geometry().patch_side(),
          [trained](const image::Image& image) {
            const models::MaskedAutoencoder& encoder = *trained->model;
            const at::NoGradGuard no_grad;
            const ops::ReferenceOps reference(trained->recipe.debug.reference_ops);
            const masks::ViewPlan plan = masks::full_plan(1, encoder.grid()).to(encoder.device());
            const at::Tensor pixels =
                models::pixels_of(models::to_device(images_of(image), encoder.device()), plan,
                                  encoder.geometry(), trained->recipe.data);
            const at::ScalarType compute =
                recipe::compute_type(trained->recipe.model.precision, encoder.device());
            return encoder.encode(pixels, plan, compute).latent_BKC[0].to(at::kFloat).cpu();
          }};
}

// Throws Error(kNumeric) if a token is NaN or infinite, since it would be drawn like any other.
at::Tensor finite(const at::Tensor& tokens_LC) {
  if (at::isfinite(tokens_LC).all().item<bool>()) return tokens_LC;
  fail(ExitCode::kNumeric,
       "the features of an image hold NaN or infinity: check the weights (fastconvmae "
       "checkpoint show), or try --set model.precision=fp32");
}

}  // namespace

TrainedEncoder load_trained_encoder(const CheckpointRequest& request, Reporter& reporter,
                                    at::Device device) {
  checkpoint::Checkpoint checkpoint = interop::load_any(request.path, false, reporter);
  const int64_t step = checkpoint.step;
  const interop::Downstream kind = interop::downstream_of(checkpoint);
  TrainedEncoder encoder;
  if (kind == interop::Downstream::kSegmenter) {
    encoder =
        of_segmenter(load_segmenter(std::move(checkpoint), request.set, reporter, device), device);
  } else if (kind == interop::Downstream::kDetector) {
    encoder =
        of_detector(load_detector(std::move(checkpoint), request.set, reporter, device), device);
  } else {
    encoder = of_model(load_trained_model(request, ModelUse::kFeatures, reporter, device));
  }
  encoder.step = step;
  encoder.tokens = [raw = std::move(encoder.tokens)](const image::Image& image) {
    return finite(raw(image));
  };
  return encoder;
}

}  // namespace fcm::tasks
