// Named parameters. Names and shapes are the published ones; a parameter may be stored in another
// shape or order for the kernels (Layout). Flat buffers hold all values contiguously.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/nn/flat_gradients.h"

namespace fcm::nn {

// Initialisation (source: upstream's models_fastconvmae.py initialize_weights).
enum class Init {
  kZeros,
  kOnes,
  kXavierUniform,  // bound sqrt(6 / (fan_in + fan_out)), fan_out = first dimension, fan_in = the
                   // rest
  kFanIn,          // uniform within 1 / sqrt(fan_in), PyTorch's default of convolutions
  kNormal02,       // normal, std 0.02
  kNormal01,       // std 0.01: upstream's linear probe
  kNormal2e5,      // std 2e-5: upstream's head at the start of fine-tuning
  // From the upstream detectors (MIMDet's trunc_normal_ and lecun_normal_):
  kTruncatedNormal02,  // normal of std 0.02, truncated at one std
  kLecunNormal,        // normal truncated at two stds, with std 1 / sqrt(fan_in) after truncation
};

// How a parameter is stored, relative to its published shape.
struct Layout {
  enum class Kind {
    kSame,
    kMergeCells,  // [O, C, p, p] -> [O, p*p*C]: kernel positions in `order`, channels last
    kTaps,        // [C, 1, s, s] -> [s*s, C]
    kRows,        // first dimension reordered: held[i] = published[order[i]], in groups
                  // of `group` rows; also for 1x1 convolutions, held as a matrix
    kColumns,     // kRows for the second dimension
  };
  Kind kind = Kind::kSame;
  std::vector<int64_t> order;
  int64_t group = 1;
};

at::Tensor to_held(const at::Tensor& published, const Layout& layout);
at::Tensor to_published(const at::Tensor& held, const Layout& layout,
                        at::IntArrayRef published_shape);

struct Parameter {
  std::string name;  // key of upstream's state_dict
  std::vector<int64_t> published_shape;
  Layout layout;
  bool trainable = true;
  at::Tensor value;    // as stored; an autograd leaf that requires a gradient if trainable
  at::Tensor rounded;  // bfloat16 copy of a trained value, empty before Parameters::round

  bool decays() const;  // by base/weight_decay.h
};

// All parameters of a model, in the order in which they were added (the published order).
class Parameters {
 public:
  // `held`: type and device of all values. The initial values depend on neither.
  Parameters(uint64_t seed, const at::TensorOptions& held) : seed_(seed), held_(held) {}
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  Parameters(Parameters&&) = default;

  // `fan_in` 0: derived from the shape. For a bias, pass the fan_in of its weight.
  at::Tensor add(const std::string& name, std::vector<int64_t> published_shape, Init init,
                 const Layout& layout = {}, int64_t fan_in = 0);
  // A table with these initial values, frozen or trainable.
  at::Tensor add_table(const std::string& name, const at::Tensor& value, bool trainable);

  // Moves the trainable values into one contiguous buffer and their gradients into a second one.
  // Call once, after all parameters are added. Tensors that `add` returned then lie in the buffer;
  // views of them that were made earlier do not.
  void flatten();

  // Makes the trainable values views of another buffer: [E], of their type and device. Their
  // contents are then those of the buffer.
  void hold_values_in(const at::Tensor& buffer_E);
  // Moves the gradients to another buffer: [E], of their type and device.
  void hold_gradients_in(const at::Tensor& buffer_E);

  // Zeroes all gradients. Backward passes then add to them.
  void zero_gradients();

  // Updates the bfloat16 copies of all trainable values in one pass, if `compute` is bfloat16. A
  // model calls it at the start of its forward pass, so that a copy is never older than its value.
  // This also overwrites copies that an earlier forward pass saved for backward.
  void round(at::ScalarType compute);

  const std::vector<Parameter>& all() const { return parameters_; }
  const Parameter& find(std::string_view name) const;  // throws std::logic_error if absent
  at::ScalarType dtype() const { return c10::typeMetaToScalarType(held_.dtype()); }
  at::Device device() const { return held_.device(); }
  int64_t trainable_elements() const;

  at::Tensor flat_values() const { return flat_values_; }  // [E]
  // [E]. Where no gradient has arrived since zero_gradients(), it first writes the zeros.
  at::Tensor flat_gradients() const;

  // Overwrites a value from its published form, of any floating type; throws std::logic_error if
  // the shape differs. `published` returns the published form, on the CPU.
  void set_published(const Parameter& parameter, const at::Tensor& published);
  at::Tensor published(const Parameter& parameter) const;

 private:
  uint64_t seed_;
  at::TensorOptions held_;
  std::vector<Parameter> parameters_;
  at::Tensor flat_values_, flat_rounded_;
  std::optional<FlatGradients> gradients_;  // none before flatten()
};

// A node in the tree of names: Scope(parameters) / "blocks3" / 0.
class Scope {
 public:
  explicit Scope(Parameters& parameters) : parameters_(&parameters) {}

  Scope operator/(std::string_view child) const;
  Scope operator/(int64_t index) const { return *this / std::to_string(index); }
  at::Tensor add(std::string_view leaf, std::vector<int64_t> published_shape, Init init,
                 const Layout& layout = {}, int64_t fan_in = 0) const;
  at::Tensor add_table(std::string_view leaf, const at::Tensor& value, bool trainable) const;
  at::Tensor rounded(std::string_view leaf) const;  // Parameter::rounded; throws if not yet added
  at::ScalarType dtype() const { return parameters_->dtype(); }

 private:
  Parameters* parameters_;
  std::string prefix_;
};

}  // namespace fcm::nn
