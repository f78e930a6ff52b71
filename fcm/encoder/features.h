#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace fcm::encoder {

// What an encoder is to make beside the results of its last block. What is not asked for has no
// parameters, takes no time and is not kept in memory.
struct Outputs {
  bool norm = false;    // latents: a norm over the last block's results
  bool fuse = false;    // latents hold the earlier stages too, where there are any; needs norm
  bool stages = false;  // the result of every stage
  // What each block of the last stage takes, of plans that hide patches. ConvViT and ViT.
  bool block_inputs = false;
};

// What the encoder knows of each patch it saw, in slot order. `tokens` are results of the last
// block, `latent` what the encoder's norm makes of them, or of their sum with the fused stages.
struct Features {
  at::Tensor tokens_BKC;
  at::Tensor latent_BKC;  // of Outputs::norm, else undefined
  // The class token of each of the G kept views; undefined for encoders that have none.
  at::Tensor class_tokens_BGC;
  at::Tensor class_latents_BGC;
  // Of Outputs::stages, else empty: the results of stage 0, 1, ..., each [B, K, P, C] with P cells
  // a patch, stored as ops::PatchGeometry says; the last one has one cell and holds tokens_BKC.
  std::vector<at::Tensor> stages_BKPC;
  // Of Outputs::block_inputs, else empty: for each run of equal views what block 0, 1, ... of the
  // last stage took, [B * views, T, C], the class token first; row = picture * views + view.
  std::vector<std::vector<at::Tensor>> block_inputs_NTC;
};

}  // namespace fcm::encoder
