// A graph of ONNX nodes under construction: names of values, weights with their upstream names,
// small constants. Other files here build networks with it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fcm/formats/onnx_file.h"
#include "fcm/nn/parameters.h"

namespace fcm::interop::onnx {

using Value = std::string;  // the name of a node's input or output
using Attributes = std::map<std::string, formats::OnnxAttribute>;
using Shape = std::vector<int64_t>;

inline constexpr int64_t kKeepDim = 0;    // in a Reshape's shape: keeps the dimension
inline constexpr int64_t kInferDim = -1;  // inferred from the rest

class Graph {
 public:
  // A weight is taken from the first of `weights` that has its name. Values are shared, not copied.
  explicit Graph(std::vector<const nn::Parameters*> weights) : weights_(std::move(weights)) {}

  // Adds a node and returns the name of its single output. `place`: the module's name
  // ("blocks.0.attn"), which begins the output's name.
  Value add(const std::string& place, const std::string& op, const std::vector<Value>& inputs,
            const Attributes& attributes = {});
  // Adds a node with several outputs.
  std::vector<Value> add_parts(const std::string& place, const std::string& op, size_t parts,
                               const std::vector<Value>& inputs, const Attributes& attributes = {});

  // The weight with that upstream name, in upstream's layout. transposed() adds an [O, I] matrix as
  // [I, O], the layout that MatMul expects, with the name "<name>.transposed". Both throw
  // std::logic_error if there is no such weight.
  Value weight(const std::string& name);
  Value transposed(const std::string& name);
  // A weight's value, float32 or wider, for computing constants.
  at::Tensor value_of(const std::string& name) const;

  // Adds a constant tensor: floating values become float32, integers int64. The name gets a suffix
  // if it is taken. number(), numbers() and index() reuse an equal constant.
  Value constant(const std::string& name, const at::Tensor& value);
  Value number(double value);          // float32, [1]
  Value numbers(const Shape& values);  // int64, [n]
  Value index(int64_t value);          // int64, []

  // Reshapes; `shape` may hold kKeepDim and, once, kInferDim.
  Value reshape(const std::string& place, const Value& x, const Shape& shape);
  Value transpose(const std::string& place, const Value& x, const Shape& order);

  void add_input(const std::string& name, const Shape& shape);
  // Makes a value an output of the graph, with this name and the declared `type` and `shape`.
  void add_output(const std::string& name, const Value& value, const Shape& shape,
                  formats::OnnxType type = formats::OnnxType::kFloat);

  // Returns the graph without nodes that no output needs. This object must not be used afterwards.
  formats::OnnxModel take();

 private:
  const nn::Parameter* find(const std::string& name) const;
  void initialise(const std::string& name, formats::OnnxType type, const Shape& shape,
                  std::function<at::Tensor()> make);
  Value fresh(const std::string& stem);

  std::vector<const nn::Parameters*> weights_;
  std::set<std::string> names_;              // of all values so far
  std::map<std::string, int64_t> suffixes_;  // suffixes in use, by name
  formats::OnnxModel model_;
};

}  // namespace fcm::interop::onnx
