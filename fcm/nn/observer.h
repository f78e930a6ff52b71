// Hands a model's intermediate values to a callback by the published names of its modules, for
// comparisons with stored values.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <string_view>

namespace fcm::nn {

// Called with a module's published name and its output, in this program's layout and still part of
// the autograd graph. A module that runs once per ViewRun calls it once per ViewRun. Names that end
// in "_in" are inputs of the first block: "blocks3_in", "decoder_blocks_in".
using Observer = std::function<void(const std::string& name, const at::Tensor& value)>;

// Does nothing without an observer, so that no name is built.
inline void observe(const Observer& observer, std::string_view name, const at::Tensor& value) {
  if (observer) observer(std::string(name), value);
}
inline void observe(const Observer& observer, std::string_view stem, int64_t index,
                    const at::Tensor& value) {
  if (observer) observer(std::string(stem) + "." + std::to_string(index), value);
}

}  // namespace fcm::nn
