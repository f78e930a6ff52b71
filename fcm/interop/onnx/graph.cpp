#include "fcm/interop/onnx/graph.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::interop::onnx {
namespace {

using formats::OnnxInitializer;
using formats::OnnxType;

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace

Value Graph::fresh(const std::string& stem) {
  Value name = stem;
  while (!names_.insert(name).second) name = fmt::format("{}_{}", stem, ++suffixes_[stem]);
  return name;
}

std::vector<Value> Graph::add_parts(const std::string& place, const std::string& op, size_t parts,
                                    const std::vector<Value>& inputs,
                                    const Attributes& attributes) {
  for (const Value& input : inputs) {
    require(names_.contains(input),
            "onnx: expected a node, input or weight {2} for {0} of {1}, got none", op, place,
            input);
  }
  std::vector<Value> outputs;
  for (size_t i = 0; i < parts; ++i) {
    outputs.push_back(fresh(place.empty() ? op : place + "/" + op));
  }
  model_.nodes.push_back({op, inputs, outputs, attributes});
  return outputs;
}

Value Graph::add(const std::string& place, const std::string& op, const std::vector<Value>& inputs,
                 const Attributes& attributes) {
  return add_parts(place, op, 1, inputs, attributes).front();
}

const nn::Parameter* Graph::find(const std::string& name) const {
  for (const nn::Parameters* parameters : weights_) {
    for (const nn::Parameter& parameter : parameters->all()) {
      if (parameter.name == name) return &parameter;
    }
  }
  throw std::logic_error(fmt::format("onnx: expected a weight called {}, got none", name));
}

void Graph::initialise(const std::string& name, OnnxType type, const Shape& shape,
                       std::function<at::Tensor()> make) {
  names_.insert(name);
  model_.initializers.push_back(
      {name, type, shape, [make = std::move(make)](const OnnxInitializer::Take& take) {
         const at::Tensor made = make();
         take(bytes_of(made));
       }});
}

at::Tensor Graph::value_of(const std::string& name) const {
  const nn::Parameter& parameter = *find(name);
  return nn::to_published(parameter.value.detach().cpu(), parameter.layout,
                          parameter.published_shape);
}

Value Graph::weight(const std::string& name) {
  if (names_.contains(name)) return name;
  // Shares the parameter's tensor, so that the model may be destroyed before the graph is written.
  initialise(name, OnnxType::kFloat, find(name)->published_shape, [parameter = *find(name)] {
    return nn::to_published(parameter.value.detach().cpu(), parameter.layout,
                            parameter.published_shape)
        .to(at::kFloat)
        .contiguous();
  });
  return name;
}

Value Graph::transposed(const std::string& name) {
  const nn::Parameter& parameter = *find(name);
  const Value transposed_name = name + ".transposed";
  if (names_.contains(transposed_name)) return transposed_name;
  require(parameter.published_shape.size() == 2,
          "onnx: expected {} to be a matrix for transposing, got shape [{}]", name,
          fmt::join(parameter.published_shape, ", "));
  initialise(transposed_name, OnnxType::kFloat,
             {parameter.published_shape[1], parameter.published_shape[0]}, [parameter] {
               return nn::to_published(parameter.value.detach().cpu(), parameter.layout,
                                       parameter.published_shape)
                   .t()
                   .to(at::kFloat)
                   .contiguous();
             });
  return transposed_name;
}

Value Graph::constant(const std::string& name, const at::Tensor& value) {
  const bool real = value.is_floating_point();
  const at::Tensor kept = value.detach().cpu().to(real ? at::kFloat : at::kLong).contiguous();
  const Value own = fresh(name);
  initialise(own, real ? OnnxType::kFloat : OnnxType::kInt64, kept.sizes().vec(),
             [kept] { return kept; });
  return own;
}

Value Graph::number(double value) {
  const std::string name = fmt::format("constant/{}", value);
  return names_.contains(name) ? name : constant(name, at::tensor({value}, at::kDouble));
}

Value Graph::numbers(const Shape& values) {
  const std::string name = fmt::format("constant/[{}]", fmt::join(values, ","));
  return names_.contains(name)
             ? name
             : constant(name, at::tensor(at::ArrayRef<int64_t>(values), at::kLong));
}

Value Graph::index(int64_t value) {
  const std::string name = fmt::format("constant/index {}", value);
  return names_.contains(name) ? name : constant(name, at::scalar_tensor(value, at::kLong));
}

Value Graph::reshape(const std::string& place, const Value& x, const Shape& shape) {
  return add(place, "Reshape", {x, numbers(shape)});
}

Value Graph::transpose(const std::string& place, const Value& x, const Shape& order) {
  return add(place, "Transpose", {x}, {{"perm", order}});
}

void Graph::add_input(const std::string& name, const Shape& shape) {
  names_.insert(name);
  model_.inputs.push_back({name, OnnxType::kFloat, shape});
}

void Graph::add_output(const std::string& name, const Value& value, const Shape& shape,
                       OnnxType type) {
  require(names_.contains(value) && names_.insert(name).second,
          "onnx: expected a new output name and an existing value, got {} and {}", name, value);
  model_.nodes.push_back({"Identity", {value}, {name}, {}});
  model_.outputs.push_back({name, type, shape});
}

formats::OnnxModel Graph::take() {
  std::set<std::string> needed;
  for (const formats::OnnxValue& output : model_.outputs) needed.insert(output.name);
  std::vector<formats::OnnxNode> nodes;  // last one first
  for (size_t i = model_.nodes.size(); i-- > 0;) {
    formats::OnnxNode& node = model_.nodes[i];
    const bool is_needed = std::ranges::any_of(
        node.outputs, [&](const std::string& output) { return needed.contains(output); });
    if (!is_needed) continue;
    needed.insert(node.inputs.begin(), node.inputs.end());
    nodes.push_back(std::move(node));
  }
  model_.nodes.assign(std::make_move_iterator(nodes.rbegin()),
                      std::make_move_iterator(nodes.rend()));
  std::erase_if(model_.initializers,
                [&](const OnnxInitializer& tensor) { return !needed.contains(tensor.name); });
  return std::move(model_);
}

}  // namespace fcm::interop::onnx
