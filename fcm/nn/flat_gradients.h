// Gradients of all parameters in one flat buffer, which autograd fills.
//
// Autograd adds to an existing gradient, so a step would write zeros, read them and add. Here the
// first gradient after zero() overwrites the buffer instead, as x + 0, which has the bits of 0 + x.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace fcm::nn {

class FlatGradients {
 public:
  // The leaves lie one after another in the buffer, which has elements for all of them.
  explicit FlatGradients(const std::vector<at::Tensor>& leaves);

  // Moves the gradients to another buffer: [E], of the leaves' dtype and device, may be
  // uninitialised.
  void hold_in(const at::Tensor& buffer_E);

  // Zeroes all gradients. On the CPU the zeros are written lazily: by all(), for leaves that no
  // backward pass has filled in the meantime.
  void zero();
  at::Tensor all() const;  // [E]

 private:
  struct State;
  class WriteFirst;

  std::vector<at::Tensor> leaves_;
  std::shared_ptr<State> state_;  // shared with the hooks of the leaves
};

}  // namespace fcm::nn
