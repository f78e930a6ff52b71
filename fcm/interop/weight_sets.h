// Which of a file's tensors are the weights of the model: averages of them, other towers and what
// trained them may lie beside. The best match is taken, not the first sign. Links no LibTorch.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "fcm/formats/pth.h"

namespace fcm::interop {

// Tensors that stand together in a file, under the names they have there.
struct NamedTensors {
  std::string key;  // where: "state_dict_ema"; empty: at the top
  std::vector<formats::TensorView> tensors;
};

// The dicts of a PyTorch file that hold tensors, and modules that were saved whole under the names
// of their state_dict; no optimizer's. In the order of the file.
std::vector<NamedTensors> state_dicts(const formats::PthFile& file);

struct Weights {
  std::vector<formats::TensorView> tensors;  // without what stands in front of all their names
  std::string label;                         // what they are called; empty: all of the file
  struct Other {
    std::string label;
    size_t tensors = 0;
  };
  std::vector<Other> others;                // sets of the same kind that were not taken
  std::vector<formats::TensorView> beside;  // tensors of their dict that belong to no set
  bool found = false;                       // false: no encoder among them, all is given
};

// The weights called `wanted`; empty: those that fit best, raw ones before averages, a teacher
// before its student (which is how DINO is used), many before few. Throws Error(kCheckpoint), which
// names `source` and what there is, where none is called so.
Weights choose_weights(std::vector<NamedTensors> dicts, const std::string& wanted,
                       const std::string& source);

// Takes out what no encoder, decoder or head of this program has and no features depend on (heads
// of other kinds, projectors, queues), of tensors with published names. Returns what it took.
std::vector<formats::TensorView> take_out_heads(std::vector<formats::TensorView>& tensors);

// "momentum_backbone (30), queue (1)": how many tensors there are by the first word of their names.
std::string counted_by_first_word(const std::vector<formats::TensorView>& tensors);

}  // namespace fcm::interop
