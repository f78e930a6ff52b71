#pragma once

#include <cstdint>

namespace fcm::encoder {

// Variants of GELU. kExact: with erf; kTanh: the tanh approximation (SigLIP, JAX's default);
// kQuick: x * sigmoid(1.702 * x) (OpenAI's CLIP).
enum class Gelu { kExact, kTanh, kQuick };

// Options of image towers (DINOv2, DINOv3, CLIP, SigLIP) beyond MAE's ViT.
struct Tower {
  bool class_token = true;
  int64_t registers = 0;     // tokens between class token and patches, without positions
  bool positions = true;     // has a position table
  bool norm_before = false;  // LayerNorm of all tokens before the blocks
  bool layer_scale = false;  // a factor per channel on the output of each branch
  Gelu gelu = Gelu::kExact;
  // Base of the rotary positions (rotary.h); 0: no rotary positions.
  double rotary_base = 0;
};

}  // namespace fcm::encoder
