// Chooses the model's weights among a file's tensors, which may also hold averages, other towers
// and training state. The best match is taken, not the first. Links no LibTorch.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "fcm/formats/pth.h"
#include "fcm/interop/state_dicts.h"

namespace fcm::interop {

struct Weights {
  std::vector<formats::TensorView> tensors;  // without their common prefix
  std::string label;                         // name of the set; empty: all of the file
  struct Other {
    std::string label;
    size_t tensors = 0;
  };
  std::vector<Other> others;                // sets of the same kind that were not chosen
  std::string remark;                       // a sentence for the line that names the others
  std::vector<formats::TensorView> beside;  // tensors of their dict that belong to no set
  bool found = false;                       // false: no encoder among them; everything is returned
};

// The weights called `wanted`; if empty, the best match: raw weights before averages, a teacher
// before its student (because DINO uses the teacher), larger sets before smaller ones. Copies may
// lie in one dict with the weights: under a prefix ("momentum_backbone.", "ema_"), or under names
// without dots ("ema_backbone_norm_weight"). Throws
// Error(kCheckpoint), with `source` and the available names, if `wanted` does not exist.
Weights choose_weights(std::vector<NamedTensors> dicts, const std::string& wanted,
                       const std::string& source);

// Removes tensors (with upstream names) that no encoder, decoder or head of this program has and no
// features depend on: other heads, projectors, queues. Returns them.
std::vector<formats::TensorView> take_out_heads(std::vector<formats::TensorView>& tensors);

// "momentum_backbone (30), queue (1)": the number of tensors by the first word of their names.
std::string counted_by_first_word(const std::vector<formats::TensorView>& tensors);

}  // namespace fcm::interop
