// A graph of ONNX nodes as it grows: names of values, weights with their published names, small
// constants. Knows no network.
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

using Value = std::string;  // the name of what a node makes or takes
using Attributes = std::map<std::string, formats::OnnxAttribute>;
using Shape = std::vector<int64_t>;

inline constexpr int64_t kAsBefore = 0;  // in a shape that Reshape takes: the dimension as it was
inline constexpr int64_t kTheRest = -1;  // what is left

class Graph {
 public:
  // Weights are found in the first of these that has the name. Their values are shared, not copied.
  explicit Graph(std::vector<const nn::Parameters*> weights) : weights_(std::move(weights)) {}

  // A node at that place of the tree of modules ("blocks.0.attn"), and the name of its one output.
  Value add(const std::string& place, const std::string& op, const std::vector<Value>& inputs,
            const Attributes& attributes = {});
  // One that has several.
  std::vector<Value> add_parts(const std::string& place, const std::string& op, size_t parts,
                               const std::vector<Value>& inputs, const Attributes& attributes = {});

  // The weight of that published name, as published; transposed: [O, I] as [I, O], which MatMul
  // takes, called "<name>.transposed". Throws std::logic_error where there is none.
  Value weight(const std::string& name);
  Value transposed(const std::string& name);
  // Its value, float32 or wider, for what is made of it here.
  at::Tensor value_of(const std::string& name) const;

  // A tensor that is no weight: floating values become float32, whole ones int64. Equal ones of a
  // name are one.
  Value constant(const std::string& name, const at::Tensor& value);
  Value number(double value);          // float32, [1]
  Value numbers(const Shape& values);  // int64, [n]
  Value index(int64_t value);          // int64, []

  // The values in another shape, which may hold kAsBefore and, once, kTheRest.
  Value reshape(const std::string& place, const Value& x, const Shape& shape);
  Value transpose(const std::string& place, const Value& x, const Shape& order);

  void add_input(const std::string& name, const Shape& shape);
  // Gives the value that name; `type` and shape are what is said of it.
  void add_output(const std::string& name, const Value& value, const Shape& shape,
                  formats::OnnxType type = formats::OnnxType::kFloat);

  // What the outputs need; nothing can be added behind it.
  formats::OnnxModel take();

 private:
  const nn::Parameter* find(const std::string& name) const;
  void initialise(const std::string& name, formats::OnnxType type, const Shape& shape,
                  std::function<at::Tensor()> make);
  Value fresh(const std::string& stem);

  std::vector<const nn::Parameters*> weights_;
  std::set<std::string> names_;           // of all values
  std::map<std::string, int64_t> again_;  // how often a name was asked for
  formats::OnnxModel model_;
};

}  // namespace fcm::interop::onnx
