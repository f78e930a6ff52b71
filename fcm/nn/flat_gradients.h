// Gradients of all parameters in one flat buffer, which autograd fills.
//
// Autograd adds a new gradient x to the stored one, so every step would have to zero the buffer and
// then read the zeros again. On the CPU the first gradient after zero() overwrites the buffer
// instead. It is stored as x + 0, which turns -0 into 0 as autograd's 0 + x would, so the bits are
// the same.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace fcm::nn {

class FlatGradients {
 public:
  // The buffer, which move_to() provides, will hold the leaves' gradients one after another, in
  // this order.
  explicit FlatGradients(const std::vector<at::Tensor>& leaves);

  // Moves the gradients to another buffer: [E], of the leaves' dtype and device, may be
  // uninitialised.
  void move_to(const at::Tensor& buffer_E);

  // Zeroes all gradients. On the CPU the zeros are written lazily: by all(), for leaves that no
  // backward pass has filled in the meantime.
  void zero();
  at::Tensor all() const;  // the buffer, [E]

 private:
  struct State;
  class OverwriteFirstGradient;

  std::vector<at::Tensor> leaves_;
  std::shared_ptr<State> state_;  // shared with the hooks of the leaves
};

}  // namespace fcm::nn
