#include "fcm/targets/teachers.h"

#include <ATen/ATen.h>

#include <cmath>
#include <span>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/targets/last_blocks.h"

namespace fcm::targets {
namespace {

// Draws weights uniformly, with the scale of a Linear's initialisation; scales of norms and layers
// near one; biases and other vectors near zero. With these values features differ between patches.
void randomise_tower(Teacher& teacher) {
  for (const nn::Parameter& parameter : teacher.parameters().all()) {
    const uint64_t name = fnv1a64(parameter.name.data(), parameter.name.size());
    KeyedRandom random(0, Purpose::kInit, 0, name);
    at::Tensor value = at::empty(parameter.published_shape, at::kFloat);
    const bool weight = parameter.decays();
    const double scale = weight ? std::sqrt(1.0 / static_cast<double>(value[0].numel())) : 0.02;
    const bool factor = parameter.name.ends_with("weight") || parameter.name.ends_with("gamma");
    const double centre = !weight && factor ? 1 : 0;
    for (float& number :
         std::span(value.mutable_data_ptr<float>(), static_cast<size_t>(value.numel()))) {
      number = static_cast<float>(centre + scale * (2 * random.uniform() - 1));
    }
    teacher.parameters().set_published(parameter, value);
  }
}

at::Tensor tower_features(const Teacher& teacher, const TargetOptions& options,
                          const std::string& name, const at::Tensor& pixels_BLPD,
                          const masks::ViewPlan& plan, at::ScalarType compute) {
  const Feature feature = tower_feature(options, name);
  if (options.last_blocks == 1) {
    return normalised_tokens(teacher.features(pixels_BLPD, plan.order_BL, feature, compute));
  }
  LastBlocks blocks("blocks", teacher.options().depth, options.last_blocks, plan.patches());
  teacher.features(pixels_BLPD, plan.order_BL, Feature::kTokens, compute, blocks.observer());
  return blocks.mean_BLD();
}

}  // namespace

Teachers::Teachers(const TargetOptions& options, const Student& student,
                   const at::TensorOptions& held,
                   const std::map<std::string, TeacherOptions>& of_files)
    : options_(options) {
  for (const std::string& name : options.features()) {
    if (name == "ema") {
      ema_ = std::make_unique<EmaTeacher>(student, held);
    } else if (const auto file = of_files.find(name); file != of_files.end()) {
      towers_[name] = std::make_unique<Teacher>(file->second, held);
    } else {
      towers_[name] = std::make_unique<Teacher>(
          tower_options(options, name, student.grid.rows, student.grid.cols), held);
      randomise_tower(*towers_[name]);
    }
  }
}

at::Tensor tower_pixels(const at::Tensor& images_BHWC, const at::Tensor& order_BL,
                        const Teacher& teacher) {
  const TeacherOptions& options = teacher.options();
  const ops::Normalisation normalisation = normalisation_of(options);
  if (images_BHWC.size(1) == options.rows && images_BHWC.size(2) == options.cols) {
    return ops::patchify(images_BHWC, order_BL, teacher.geometry(), normalisation, at::kFloat);
  }
  const at::NoGradGuard no_gradient;
  const auto on_device = images_BHWC.device();
  const at::Tensor mean_C = at::tensor(normalisation.mean, at::kFloat).to(on_device),
                   stddev_C = at::tensor(normalisation.stddev, at::kFloat).to(on_device);
  const at::Tensor normalised_BHWC = (images_BHWC.to(at::kFloat) / 255 - mean_C) / stddev_C;
  const at::Tensor resized_BCHW =
      at::_upsample_bicubic2d_aa(normalised_BHWC.permute({0, 3, 1, 2}).contiguous(),
                                 {options.rows, options.cols}, /*align_corners=*/false);
  return ops::patchify_normalised(resized_BCHW, order_BL, teacher.geometry());
}

Features Teachers::features(const at::Tensor& images_BHWC, const at::Tensor& pixels_BLPD,
                            const masks::ViewPlan& plan, at::ScalarType compute) const {
  Features features;
  for (const auto& [name, tower] : towers_) {
    features[name] = tower_features(
        *tower, options_, name, tower_pixels(images_BHWC, plan.order_BL, *tower), plan, compute);
  }
  if (ema_) features["ema"] = ema_->features(pixels_BLPD, plan, options_.last_blocks, compute);
  return features;
}

}  // namespace fcm::targets
