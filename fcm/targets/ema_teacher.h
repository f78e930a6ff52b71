// The encoder's own moving average (EMA) as a teacher that sees every patch.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "fcm/encoder/encoder.h"
#include "fcm/encoder/options.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/parameters.h"
#include "fcm/targets/options.h"

namespace fcm::targets {

// The options of the encoder that is trained.
struct Student {
  std::string kind = encoder::kDefaultKind;
  encoder::EncoderOptions encoder;
  int64_t channels = 3;
  masks::Grid grid;
};

// The momentum at step `step`: a half cosine from ema_momentum at step 0 to ema_last_momentum at
// step `steps`, as in DINO and BYOL.
double ema_momentum(const TargetOptions& options, int64_t step, int64_t steps);

class EmaTeacher {
 public:
  explicit EmaTeacher(const Student& student, const at::TensorOptions& held = at::kFloat);

  // The averaged parameters under upstream names, stored in the same layout as the student's.
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }

  // start_from: average = student. follow: average = momentum * average + (1 - momentum) * student.
  void start_from(const nn::Parameters& student);
  void follow(const nn::Parameters& student, double momentum);

  // pixels [B, L, P, D] -> normalised features [B, L, C] of all patches, in the order of `plan`,
  // whose views are ignored. The features are the encoder's latent, or with last_blocks > 1 the
  // mean of the outputs of that many last blocks.
  at::Tensor features(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      int64_t last_blocks, at::ScalarType compute) const;

 private:
  Student student_;
  std::unique_ptr<nn::Parameters> parameters_;
  std::unique_ptr<encoder::Encoder> encoder_;
};

// How much features vary between tokens: the mean and the minimum over dimensions of the std over
// all tokens of a batch. Tokens are normalised, so the mean is at most 1. If it is near 0, all
// tokens are nearly equal, and the target has collapsed.
struct Spread {
  double mean = 0, least = 0;
};
Spread spread_of(const at::Tensor& features_BLD);

}  // namespace fcm::targets
