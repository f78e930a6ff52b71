#pragma once

#include <cstdint>

namespace fcm::encoder {

// GELU as networks have it: with the error function; with a hyperbolic tangent (SigLIP, as JAX has
// it by default); x * sigmoid(1.702 x) (OpenAI's CLIP).
enum class Gelu { kExact, kTanh, kQuick };

// What published image towers have that the ViT of MAE does not: DINOv2, DINOv3, CLIP and SigLIP.
struct Tower {
  bool class_token = true;
  int64_t registers = 0;     // tokens between the class token and the patches, without positions
  bool positions = true;     // a table of them
  bool norm_before = false;  // of all tokens, in front of the blocks
  bool layer_scale = false;  // a factor for each channel of what a branch adds
  Gelu gelu = Gelu::kExact;
  // Rotary positions of this base (rotary.h); 0: none.
  double rotary_base = 0;
};

}  // namespace fcm::encoder
