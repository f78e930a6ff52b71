#pragma once

#include <functional>
#include <string_view>

namespace fcm::nn {

// Depth of a parameter in its network, for layer-wise learning rates and weight decay.
struct Layer {
  int index = 0;        // 0: nearest to the pixels
  int last = 0;         // index of the modules after the encoder's blocks: final norm and head
  bool exempt = false;  // from weight decay, whatever its shape
};

// The layer of a parameter, by its published name.
using LayerOf = std::function<Layer(std::string_view name)>;

}  // namespace fcm::nn
