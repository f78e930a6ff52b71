// Gradients of parameters, which autograd fills, in one flat buffer.
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

  // Moves them to other memory: [E], of the leaves' type and device, which need not hold anything.
  void hold_in(const at::Tensor& buffer_E);

  // All are zero. On the processor zeros are not written here but by all(), where no backward pass
  // has brought anything in the meantime.
  void zero();
  at::Tensor all() const;  // [E]

 private:
  struct State;
  class WriteFirst;

  std::vector<at::Tensor> leaves_;
  std::shared_ptr<State> state_;  // which hooks of the leaves have, too
};

}  // namespace fcm::nn
