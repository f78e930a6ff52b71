// The encoder's own moving average as a teacher: it sees every patch.
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

// What has to be known of the encoder that is trained.
struct Student {
  std::string kind = encoder::kDefaultKind;
  encoder::EncoderOptions encoder;
  int64_t channels = 3;
  masks::Grid grid;
};

// Share of the average that a step keeps: from ema_momentum at step 0 along half a cosine to
// ema_last_momentum at step `steps`, as DINO and BYOL have it.
double ema_momentum(const TargetOptions& options, int64_t step, int64_t steps);

class EmaTeacher {
 public:
  explicit EmaTeacher(const Student& student, const at::TensorOptions& held = at::kFloat);

  // The encoder's parameters under their published names, held as the student holds them.
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }

  // average = student, and average = momentum * average + (1 - momentum) * student.
  void start_from(const nn::Parameters& student);
  void follow(const nn::Parameters& student, double momentum);

  // Normalised features [B, L, C] of all patches, in the order of `plan`, whose masks are not
  // looked at: the encoder's latent behind its norm, or the mean of its last blocks. pixels [B, L,
  // P, D].
  at::Tensor features(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      int64_t last_blocks, at::ScalarType compute) const;

 private:
  Student student_;
  std::unique_ptr<nn::Parameters> parameters_;
  std::unique_ptr<encoder::Encoder> encoder_;
};

// How far features differ from token to token: the deviation of each dimension over all tokens of a
// batch, its mean and its least. Tokens are normalised, so the mean lies below 1; near 0 all tokens
// are the same, and the target is worth nothing.
struct Spread {
  double mean = 0, least = 0;
};
Spread spread_of(const at::Tensor& features_BLD);

}  // namespace fcm::targets
