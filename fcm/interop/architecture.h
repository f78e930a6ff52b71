// Infers a model from the names and shapes of a file's tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "fcm/encoder/options.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

struct DecoderArchitecture {
  int64_t dim = 0, depth = 0;
  double mlp_ratio = 4;
  bool linear = false;  // one linear layer, no blocks (decoder.kind = "linear")
  bool cross = false;   // hidden patches attend to visible ones only (decoder.kind = "cross")
  bool mixes = false;   // blocks read a mix of the encoder's blocks (decoder.reads = "mix")
};

// A masked autoencoder, or a classifier on its encoder. Tensors do not tell how pixels and targets
// are normalised.
struct Architecture {
  std::string kind;                 // of the encoder, as in encoder/registry.h
  encoder::EncoderOptions encoder;  // heads are 0, except for a Swin, whose bias tables tell
  int64_t channels = 3;
  int64_t patches = 0;  // rows of the position table without the class token; 0: no table
  bool class_token = false;
  bool fuse = false;     // has the layers that fuse the first stages with the last one
  bool norm = false;     // has a norm of the encoder's output
  bool fc_norm = false;  // has a norm of a classifier's mean token
  int64_t classes = 0;   // outputs of a classifier's head; 0: no head
  std::optional<DecoderArchitecture> decoder;
  bool mask_token = false;
  std::string foreign;  // a sentence about a part that no network here has; empty: none
};

// For tensors with upstream names. nullopt: no encoder of a known kind.
std::optional<Architecture> recognise(std::span<const formats::TensorView> tensors);

// The message when recognise() found nothing: the first names in the file, and those expected.
// `source` is the file.
std::string why_unknown(std::span<const formats::TensorView> tensors, const std::string& source);

}  // namespace fcm::interop
