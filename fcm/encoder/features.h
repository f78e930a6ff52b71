#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace fcm::encoder {

// Which outputs an encoder computes besides the output of its last block. An output that is off has
// no parameters and costs neither time nor memory.
struct Outputs {
  bool norm = false;    // latents: LayerNorm of the last block's outputs
  bool fuse = false;    // adds the outputs of earlier stages, if any, before that norm; needs norm
  bool stages = false;  // the output of every stage
  // The input of each block of the last stage. ConvViT and ViT only; not saved if the plan is one
  // view of all patches.
  bool block_inputs = false;
};

// Outputs for the patches that the encoder saw, in slot order. `tokens` are the last block's
// output; `latent` is the encoder's norm of the tokens, or of the sum of tokens and fused stages.
struct Features {
  at::Tensor tokens_BKC;
  at::Tensor latent_BKC;  // with Outputs::norm, else undefined
  // The class tokens of the G kept views; undefined for encoders without one.
  at::Tensor class_tokens_BGC;
  at::Tensor class_latents_BGC;
  // With Outputs::stages, else empty: the outputs of stage 0, 1, ..., each [B, K, P, C] with P
  // cells per patch in the order of ops::PatchGeometry. The last stage has one cell per patch, and
  // its output equals tokens_BKC.
  std::vector<at::Tensor> stages_BKPC;
  // With Outputs::block_inputs, else empty: for each run of equal views the inputs of block 0, 1,
  // ... of the last stage, [B * views, T, C]. Row = image * views + view; T begins with the class
  // token if the encoder has one.
  std::vector<std::vector<at::Tensor>> block_inputs_NTC;
};

}  // namespace fcm::encoder
