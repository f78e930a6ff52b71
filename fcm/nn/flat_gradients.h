// Gradients of parameters, which autograd fills, in one flat buffer.
//
// Autograd adds a gradient to what is there: a step would write zeros, read them again and add. Here
// the first gradient after zero() is written over what is there. The bits are the same: it is x + 0
// in place of 0 + x.
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
