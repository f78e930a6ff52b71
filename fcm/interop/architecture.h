// What the names and shapes of a file's tensors say of the model in it.
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
  bool linear = false;  // one product, no blocks: decoder.kind
  bool cross = false;   // hidden patches attend to visible ones alone: decoder.kind
  bool mixes = false;   // of what the encoder's blocks take: decoder.reads
};

// A masked autoencoder or a classifier on its encoder. Normalisation of pixels and the target's are
// not in the tensors.
struct Architecture {
  std::string kind;                 // of the encoder, as in encoder/registry.h
  encoder::EncoderOptions encoder;  // heads are 0, but for a Swin, whose tables tell
  int64_t channels = 3;
  int64_t patches = 0;  // of the position table, class token not counted; 0: there is no table
  bool class_token = false;
  bool fuse = false;     // convolutions that bring the first stages to the last one
  bool norm = false;     // of the encoder's output
  bool fc_norm = false;  // of a classifier's mean token
  int64_t classes = 0;   // of a classifier's head; 0: none
  std::optional<DecoderArchitecture> decoder;
  bool mask_token = false;
  std::string foreign;  // what it has and no network of this program, as a sentence; empty: nothing
};

// Of tensors with published names. nullopt: no encoder that this program knows.
std::optional<Architecture> recognise(std::span<const formats::TensorView> tensors);

// What to say where it found none: the first names that are there, and those that were expected.
// `source` is the file.
std::string why_unknown(std::span<const formats::TensorView> tensors, const std::string& source);

}  // namespace fcm::interop
