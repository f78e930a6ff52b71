#include "fcm/nn/flat_gradients.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace fcm::nn {

struct FlatGradients::State {
  at::Tensor buffer_E;
  std::vector<at::Tensor> places;  // of each leaf's gradient, in the buffer
  // 1: the leaf's gradient is 0, whatever the buffer holds. Bytes instead of bits, so that threads
  // can write adjacent elements at the same time.
  std::vector<uint8_t> is_zero;
};

// Called with a leaf's gradient before autograd adds it.
class FlatGradients::OverwriteFirstGradient final : public torch::autograd::FunctionPreHook {
 public:
  OverwriteFirstGradient(std::shared_ptr<State> state, size_t index)
      : state_(std::move(state)), index_(index) {}

  torch::autograd::variable_list operator()(
      const torch::autograd::variable_list& gradients) override {
    if (state_->is_zero[index_] == 0 || !gradients.front().defined()) return gradients;
    const at::NoGradGuard no_grad;
    at::Tensor& place = state_->places[index_];
    at::add_out(place, gradients.front(), at::zeros({}, place.options()));  // turns -0 into 0
    state_->is_zero[index_] = 0;
    return {at::Tensor()};  // nothing to add; hooks after the accumulation still run
  }

 private:
  std::shared_ptr<State> state_;
  size_t index_;
};

FlatGradients::FlatGradients(const std::vector<at::Tensor>& leaves)
    : leaves_(leaves), state_(std::make_shared<State>()) {
  state_->is_zero.resize(leaves.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    torch::autograd::impl::add_hook(leaves[i], std::make_unique<OverwriteFirstGradient>(state_, i));
  }
}

void FlatGradients::move_to(const at::Tensor& buffer_E) {
  if (state_->buffer_E.defined()) buffer_E.copy_(all());
  state_->buffer_E = buffer_E;
  state_->places.clear();
  int64_t offset = 0;
  for (at::Tensor& leaf : leaves_) {
    const at::Tensor place = buffer_E.narrow(0, offset, leaf.numel()).view(leaf.sizes());
    state_->places.push_back(place);
    leaf.mutable_grad() = place;
    offset += leaf.numel();
  }
}

void FlatGradients::zero() {
  if (state_->buffer_E.is_cpu()) {
    std::fill(state_->is_zero.begin(), state_->is_zero.end(), uint8_t{1});
  } else {
    state_->buffer_E.zero_();
  }
}

at::Tensor FlatGradients::all() const {
  for (size_t i = 0; i < state_->places.size(); ++i) {
    if (std::exchange(state_->is_zero[i], uint8_t{0}) != 0) state_->places[i].zero_();
  }
  return state_->buffer_E;
}

}  // namespace fcm::nn
