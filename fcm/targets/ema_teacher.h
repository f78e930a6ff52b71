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

// The options of the trained encoder.
struct Student {
  std::string kind = encoder::kDefaultKind;
  encoder::EncoderOptions encoder;
  int64_t channels = 3;
  masks::Grid grid;
};

// The momentum of step `step`: a half cosine from ema_momentum at step 0 to ema_last_momentum at
// step `steps`, as in DINO and BYOL.
double ema_momentum(const TargetOptions& options, int64_t step, int64_t steps);

class EmaTeacher {
 public:
  explicit EmaTeacher(const Student& student, const at::TensorOptions& held = at::kFloat);

  // The encoder's parameters under upstream names, stored as the student's are.
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }

  // start_from: average = student. follow: average = momentum * average + (1 - momentum) * student.
  void start_from(const nn::Parameters& student);
  void follow(const nn::Parameters& student, double momentum);

  // Normalised features [B, L, C] of all patches in the order of `plan`, whose masks are ignored:
  // the encoder's latent after its norm, or the mean of its last blocks. pixels [B, L, P, D].
  at::Tensor features(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      int64_t last_blocks, at::ScalarType compute) const;

 private:
  Student student_;
  std::unique_ptr<nn::Parameters> parameters_;
  std::unique_ptr<encoder::Encoder> encoder_;
};

// How much features vary between tokens: the std of each dimension over all tokens of a batch, its
// mean and minimum over dimensions. Tokens are normalised, so the mean is below 1; near 0 all
// tokens are equal, and the target has collapsed.
struct Spread {
  double mean = 0, least = 0;
};
Spread spread_of(const at::Tensor& features_BLD);

}  // namespace fcm::targets
