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

// A masked autoencoder, or a classifier on its encoder. The normalisation of pixels and targets
// cannot be inferred.
struct Architecture {
  std::string kind;                 // of the encoder, as in encoder/registry.h
  encoder::EncoderOptions encoder;  // heads: 0, except for a Swin, whose bias tables have them
  int64_t channels = 3;
  int64_t patches = 0;  // rows of the position table without the class token; 0: no table
  bool class_token = false;
  bool fuse = false;     // has the layers that fuse the first stages with the last one
  bool norm = false;     // has a norm of the encoder's output
  bool fc_norm = false;  // has a norm of a classifier's mean token
  int64_t classes = 0;   // outputs of a classifier's head; 0: no head
  std::optional<DecoderArchitecture> decoder;
  bool mask_token = false;
  std::string foreign;  // a sentence about a part that no network here has; empty: there is none
};

// `tensors` must have upstream names. nullopt: they have no encoder of a known kind.
std::optional<Architecture> recognise(std::span<const formats::TensorView> tensors);

// The message if recognise() found nothing: what the file holds instead, or the first names in it
// and the names that were expected. `source` is the file.
std::string why_unknown(std::span<const formats::TensorView> tensors, const std::string& source);

}  // namespace fcm::interop
