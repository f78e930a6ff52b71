// An independent runtime for the program's ONNX graphs: their operators in plain tensor calls, in
// any floating-point type. Source: the ONNX operator specification, version 17. Unknown operators,
// attributes and forms throw.
#pragma once

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/onnx_reader.h"

namespace fcm::test {

using OnnxValues = std::map<std::string, at::Tensor>;

namespace onnx {

// A node with its inputs and attributes. An attribute that is never read is an error.
class Call {
 public:
  Call(const ReadNode& node, const OnnxValues& values) : node_(node) {
    for (const std::string& input : node.inputs) {
      const auto found = values.find(input);
      if (found == values.end()) throw std::runtime_error(node.name + " takes unknown " + input);
      inputs_.push_back(found->second);
    }
  }
  const at::Tensor& operator[](size_t i) const { return inputs_.at(i); }
  size_t size() const { return inputs_.size(); }
  size_t outputs() const { return node_.outputs.size(); }
  int64_t number(const char* name, int64_t otherwise) {
    const auto found = node_.numbers.find(name);
    asked_.insert(name);
    return found == node_.numbers.end() ? otherwise : found->second;
  }
  double real(const char* name) {
    asked_.insert(name);
    return node_.reals.at(name);
  }
  std::vector<int64_t> list(const char* name) {
    asked_.insert(name);
    return node_.lists.at(name);
  }
  std::vector<int64_t> input_list(size_t i) const {
    const at::Tensor list = inputs_.at(i).contiguous();
    if (list.scalar_type() != at::kLong || list.dim() != 1) throw std::runtime_error("not a list");
    const auto* values = list.const_data_ptr<int64_t>();
    return {values, values + list.numel()};
  }
  void check_all_asked() const {
    const auto check = [&](const auto& attributes) {
      for (const auto& [name, value] : attributes) {
        if (!asked_.contains(name)) throw std::runtime_error(node_.op + " ignores " + name);
      }
    };
    check(node_.numbers);
    check(node_.reals);
    check(node_.lists);
  }

 private:
  const ReadNode& node_;
  std::vector<at::Tensor> inputs_;
  std::set<std::string> asked_;
};

inline void want(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

// ONNX's Reshape: a size of 0 keeps the size of the input.
inline at::Tensor reshaped(const at::Tensor& x, std::vector<int64_t> shape) {
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) shape[i] = x.size(static_cast<int64_t>(i));
  }
  return x.reshape(shape);
}

inline at::Tensor convolved(Call& call) {
  const std::vector<int64_t> kernel = call.list("kernel_shape"), strides = call.list("strides"),
                             pads = call.list("pads");
  const int64_t groups = call.number("group", 1);
  want(kernel[0] == call[1].size(2) && kernel[1] == call[1].size(3), "Conv: another kernel");
  want(pads == std::vector<int64_t>(4, pads[0]), "Conv: pads differ");
  return at::conv2d(call[0], call[1], call.size() > 2 ? call[2] : at::Tensor(), strides,
                    at::IntArrayRef{pads[0], pads[1]}, at::IntArrayRef{1, 1}, groups);
}

inline at::Tensor deconvolved(Call& call) {
  const std::vector<int64_t> kernel = call.list("kernel_shape"), strides = call.list("strides");
  want(kernel[0] == call[1].size(2) && kernel[1] == call[1].size(3), "ConvTranspose: kernel");
  return at::conv_transpose2d(call[0], call[1], call[2], strides);
}

inline at::Tensor layer_normed(Call& call) {
  want(call.number("axis", -1) == -1, "LayerNormalization: axis");
  const at::Tensor centred = call[0] - call[0].mean(-1, true);
  const at::Tensor variance = centred.square().mean(-1, true);
  return centred / (variance + call.real("epsilon")).sqrt() * call[1] + call[2];
}

inline at::Tensor batch_normed(Call& call) {
  std::vector<int64_t> shape(static_cast<size_t>(call[0].dim()), 1);
  shape[1] = -1;
  const auto of = [&](size_t i) { return call[i].reshape(shape); };
  return (call[0] - of(3)) / (of(4) + call.real("epsilon")).sqrt() * of(1) + of(2);
}

inline at::Tensor instance_normed(Call& call) {
  want(call[0].dim() == 3, "InstanceNormalization of another number of dimensions");
  const at::Tensor centred = call[0] - call[0].mean(2, true);
  const at::Tensor variance = centred.square().mean(2, true);
  return centred / (variance + call.real("epsilon")).sqrt() * call[1].view({-1, 1}) +
         call[2].view({-1, 1});
}

inline at::Tensor padded(Call& call) {
  const std::vector<int64_t> pads = call.input_list(1);  // all begins, then all ends
  std::vector<int64_t> torchs;                           // last dimension first; begin, end
  const size_t dims = pads.size() / 2;
  for (size_t i = dims; i-- > 0;) torchs.insert(torchs.end(), {pads[i], pads[dims + i]});
  return at::constant_pad_nd(call[0], torchs, 0);
}

inline at::Tensor sliced(Call& call) {
  const std::vector<int64_t> starts = call.input_list(1), ends = call.input_list(2),
                             axes = call.input_list(3);
  at::Tensor x = call[0];
  for (size_t i = 0; i < axes.size(); ++i) x = x.slice(axes[i], starts[i], ends[i]);
  return x;
}

inline at::Tensor gathered(Call& call) {
  const int64_t axis = call.number("axis", 0);
  const at::Tensor& index = call[1];
  want(index.ge(0).all().item<bool>(), "Gather: an index below 0");
  const at::Tensor rows = call[0].index_select(axis, index.reshape({-1}));
  std::vector<int64_t> shape = call[0].sizes().vec();
  shape.erase(shape.begin() + axis);
  const std::vector<int64_t> inner = index.sizes().vec();
  shape.insert(shape.begin() + axis, inner.begin(), inner.end());
  return rows.reshape(shape);
}

inline at::Tensor concatenated(Call& call) {
  std::vector<at::Tensor> parts;
  for (size_t i = 0; i < call.size(); ++i) parts.push_back(call[i]);
  return at::cat(parts, call.number("axis", 0));
}

inline at::Tensor multiplied(Call& call) {
  want(call.number("transB", 0) == 1, "Gemm: B is not transposed");
  return at::matmul(call[0], call[1].t()) + call[2];
}

inline at::Tensor shape_of(Call& call) {
  const auto from = static_cast<size_t>(call.number("start", 0)),
             to = static_cast<size_t>(call.number("end", call[0].dim()));
  const std::vector<int64_t> sizes = call[0].sizes().vec();
  const std::vector<int64_t> part(sizes.begin() + static_cast<int64_t>(from),
                                  sizes.begin() + static_cast<int64_t>(to));
  return at::tensor(at::ArrayRef<int64_t>(part), at::kLong);
}

inline at::Tensor pooled(Call& call) {
  return at::max_pool2d(call[0], call.list("kernel_shape"), call.list("strides"));
}

inline at::Tensor averaged(Call& call) {
  return call[0].mean(call.list("axes"), call.number("keepdims", 1) != 0);
}

using Operator = std::function<at::Tensor(Call&)>;

inline const std::map<std::string, Operator>& operators() {
  static const std::map<std::string, Operator> all = {
      {"Add", [](Call& c) { return c[0] + c[1]; }},
      {"Sub", [](Call& c) { return c[0] - c[1]; }},
      {"Mul", [](Call& c) { return c[0] * c[1]; }},
      {"Div", [](Call& c) { return c[0] / c[1]; }},
      {"Erf", [](Call& c) { return c[0].erf(); }},
      {"Relu", [](Call& c) { return c[0].relu(); }},
      {"Identity", [](Call& c) { return c[0]; }},
      {"MatMul", [](Call& c) { return at::matmul(c[0], c[1]); }},
      {"Softmax", [](Call& c) { return c[0].softmax(c.number("axis", -1)); }},
      {"Reshape", [](Call& c) { return reshaped(c[0], c.input_list(1)); }},
      {"Transpose", [](Call& c) { return c[0].permute(c.list("perm")); }},
      {"Expand", [](Call& c) { return c[0].expand(c.input_list(1)); }},
      {"ArgMax",
       [](Call& c) { return c[0].argmax(c.number("axis", 0), c.number("keepdims", 1) != 0); }},
      {"Conv", convolved},
      {"ConvTranspose", deconvolved},
      {"LayerNormalization", layer_normed},
      {"BatchNormalization", batch_normed},
      {"InstanceNormalization", instance_normed},
      {"Pad", padded},
      {"Slice", sliced},
      {"Gather", gathered},
      {"Concat", concatenated},
      {"Gemm", multiplied},
      {"Shape", shape_of},
      {"MaxPool", pooled},
      {"ReduceMean", averaged},
  };
  return all;
}

inline at::Tensor tensor_of(const ReadTensor& read, at::ScalarType type) {
  const auto stored = read.type == 1 ? at::kFloat : at::kLong;
  want(read.type == 1 || read.type == 7, "a tensor of another type");
  at::Tensor tensor = at::empty(read.shape, stored);
  want(tensor.nbytes() == read.bytes.size(), "a tensor whose bytes are not those of its shape");
  std::memcpy(tensor.mutable_data_ptr(), read.bytes.data(), read.bytes.size());
  return stored == at::kFloat ? tensor.to(type) : tensor;
}

}  // namespace onnx

// Throws if the model is invalid: a value is produced twice or used before it is produced, a weight
// or result is never used, or an output is never produced.
inline void check_onnx(const ReadModel& model) {
  std::set<std::string> made, taken;
  const auto make = [&](const std::string& name) {
    if (name.empty() || !made.insert(name).second) throw std::runtime_error("made twice: " + name);
  };
  for (const auto& [name, tensor] : model.tensors) make(name);
  for (const ReadValue& input : model.inputs) make(input.name);
  for (const ReadNode& node : model.nodes) {
    for (const std::string& input : node.inputs) {
      if (!made.contains(input)) throw std::runtime_error(node.name + " takes " + input);
      taken.insert(input);
    }
    for (const std::string& output : node.outputs) make(output);
  }
  for (const ReadValue& output : model.outputs) {
    if (!made.contains(output.name)) throw std::runtime_error("nothing makes " + output.name);
    taken.insert(output.name);
  }
  for (const std::string& name : made) {
    if (!taken.contains(name)) throw std::runtime_error("nobody takes " + name);
  }
}

// Computes the outputs; throws if a shape differs from the one in the model.
inline OnnxValues run_onnx(const ReadModel& model, const OnnxValues& inputs, at::ScalarType type) {
  const at::NoGradGuard no_grad;
  OnnxValues values = inputs;
  for (const auto& [name, tensor] : model.tensors) values[name] = onnx::tensor_of(tensor, type);
  for (const ReadNode& node : model.nodes) {
    try {
      onnx::Call call(node, values);
      if (node.op == "Split") {
        const std::vector<at::Tensor> parts =
            call[0].chunk(static_cast<int64_t>(call.outputs()), call.number("axis", 0));
        for (size_t i = 0; i < parts.size(); ++i) values[node.outputs[i]] = parts[i];
      } else {
        values[node.outputs[0]] = onnx::operators().at(node.op)(call);
      }
      call.check_all_asked();
    } catch (const std::exception& error) {
      throw std::runtime_error(fmt::format("{} ({}): {}", node.name, node.op, error.what()));
    }
  }
  OnnxValues outputs;
  for (const ReadValue& output : model.outputs) {
    const at::Tensor& value = values.at(output.name);
    std::vector<std::string> shape;
    for (const int64_t size : value.sizes()) shape.push_back(fmt::to_string(size));
    if (!shape.empty() && output.shape.at(0) == "N") shape[0] = "N";
    if (shape != output.shape) throw std::runtime_error("another shape than said: " + output.name);
    outputs[output.name] = value;
  }
  return outputs;
}

}  // namespace fcm::test
