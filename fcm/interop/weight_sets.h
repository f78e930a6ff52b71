// Chooses the model's weights among a file's tensors, which may also hold averages, other networks
// and training state. The order of the file does not matter. Links no LibTorch.
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
  std::vector<Other> others;                // sets that were not chosen
  std::string remark;                       // a sentence for the message that names the others
  std::vector<formats::TensorView> beside;  // tensors of the chosen set's dict that are in no set
  bool found = false;                       // false: no set has an encoder; `tensors`: largest dict
};

// The set of weights called `wanted`. If `wanted` is empty, the best match: weights before their
// averages, a teacher before its student (because DINO uses the teacher), larger sets before
// smaller ones. Copies may be in the same dict as the weights, with a prefix ("momentum_backbone.",
// "ema_") or with names without dots ("ema_backbone_norm_weight"). Throws Error(kCheckpoint), with
// `source` and the available names, if `wanted` does not exist.
Weights choose_weights(std::vector<NamedTensors> dicts, const std::string& wanted,
                       const std::string& source);

// Removes tensors (with upstream names) that no network of this program has and that do not affect
// an encoder's output: other heads, projectors, queues. Returns the removed tensors.
std::vector<formats::TensorView> take_out_heads(std::vector<formats::TensorView>& tensors);

// "momentum_backbone (30), queue (1)": the number of tensors by the first word of their names.
std::string counted_by_first_word(const std::vector<formats::TensorView>& tensors);

}  // namespace fcm::interop
