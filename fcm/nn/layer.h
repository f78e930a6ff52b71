#pragma once

#include <functional>
#include <string_view>

namespace fcm::nn {

// Where a parameter stands in its network, for learning rates and weight decay that go by layers.
struct Layer {
  int index = 0;        // 0: nearest to the pixels
  int last = 0;         // index of what follows the encoder's blocks: its norm, a head
  bool exempt = false;  // from weight decay, whatever its shape
};

// Of a parameter by its published name.
using LayerOf = std::function<Layer(std::string_view name)>;

}  // namespace fcm::nn
