// Reads ONNX files without code of the exporter: the field numbers are from onnx.proto. Unknown
// fields and fields of an unexpected type are refused. Does not link LibTorch.
#pragma once

#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace fcm::test {

struct ReadTensor {
  int64_t type = 0;  // 1: float32, 7: int64
  std::vector<int64_t> shape;
  std::string bytes;
  std::map<std::string, std::string> external;  // file and position of bytes in another file
};

struct ReadNode {
  std::string op, name;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, int64_t> numbers;
  std::map<std::string, float> reals;
  std::map<std::string, std::vector<int64_t>> lists;
};

struct ReadValue {
  std::string name;
  int64_t type = 0;
  std::vector<std::string> shape;  // sizes and symbolic names
};

struct ReadModel {
  int64_t ir_version = 0, operators = 0;
  std::string producer, version, description, name;
  std::map<std::string, std::string> metadata;
  std::vector<ReadNode> nodes;
  std::map<std::string, ReadTensor> tensors;
  std::vector<ReadValue> inputs, outputs;
};

namespace onnx {

using protozero::pbf_reader;

[[noreturn]] inline void unknown(const char* message, const pbf_reader& reader) {
  throw std::runtime_error(fmt::format("{} has a field {}", message, reader.tag()));
}

inline std::pair<std::string, std::string> pair_in(pbf_reader reader) {
  std::pair<std::string, std::string> pair;
  while (reader.next()) {
    if (reader.tag() == 1) {
      pair.first = reader.get_string();
    } else if (reader.tag() == 2) {
      pair.second = reader.get_string();
    } else {
      unknown("StringStringEntryProto", reader);
    }
  }
  return pair;
}

inline void read_attribute(pbf_reader reader, ReadNode& node) {
  std::string name;
  std::optional<float> real;
  std::optional<int64_t> number;
  std::vector<int64_t> list;
  int32_t type = 0;
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        name = reader.get_string();
        break;
      case 2:
        real = reader.get_float();
        break;
      case 3:
        number = reader.get_int64();
        break;
      case 8:
        list.push_back(reader.get_int64());
        break;
      case 20:
        type = reader.get_int32();
        break;
      default:
        unknown("AttributeProto", reader);
    }
  }
  if (type == 1 && real) {
    node.reals[name] = *real;
  } else if (type == 2 && number) {
    node.numbers[name] = *number;
  } else if (type == 7) {
    node.lists[name] = list;
  } else {
    throw std::runtime_error("attribute " + name + " is not of its type");
  }
}

inline ReadNode node_in(pbf_reader reader) {
  ReadNode node;
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        node.inputs.push_back(reader.get_string());
        break;
      case 2:
        node.outputs.push_back(reader.get_string());
        break;
      case 3:
        node.name = reader.get_string();
        break;
      case 4:
        node.op = reader.get_string();
        break;
      case 5:
        read_attribute(reader.get_message(), node);
        break;
      default:
        unknown("NodeProto", reader);
    }
  }
  return node;
}

inline std::pair<std::string, ReadTensor> tensor_in(pbf_reader reader) {
  std::string name;
  ReadTensor tensor;
  int32_t location = 0;
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        tensor.shape.push_back(reader.get_int64());
        break;
      case 2:
        tensor.type = reader.get_int32();
        break;
      case 8:
        name = reader.get_string();
        break;
      case 9:
        tensor.bytes = reader.get_bytes();
        break;
      case 13:
        tensor.external.insert(pair_in(reader.get_message()));
        break;
      case 14:
        location = reader.get_int32();
        break;
      default:
        unknown("TensorProto", reader);
    }
  }
  if ((location == 1) != !tensor.external.empty()) {
    throw std::runtime_error(name + " is not where it says");
  }
  return {name, tensor};
}

inline std::string dim_in(pbf_reader reader) {
  std::string dim;
  while (reader.next()) {
    if (reader.tag() == 1) {
      dim = fmt::to_string(reader.get_int64());
    } else if (reader.tag() == 2) {
      dim = reader.get_string();
    } else {
      unknown("Dimension", reader);
    }
  }
  return dim;
}

inline ReadValue value_in(pbf_reader reader) {
  ReadValue value;
  while (reader.next()) {
    if (reader.tag() == 1) {
      value.name = reader.get_string();
      continue;
    }
    if (reader.tag() != 2) unknown("ValueInfoProto", reader);
    pbf_reader type = reader.get_message();
    while (type.next(1)) {
      pbf_reader tensor = type.get_message();
      while (tensor.next()) {
        if (tensor.tag() == 1) {
          value.type = tensor.get_int32();
        } else if (tensor.tag() == 2) {
          pbf_reader shape = tensor.get_message();
          while (shape.next(1)) value.shape.push_back(dim_in(shape.get_message()));
        } else {
          unknown("TypeProto.Tensor", tensor);
        }
      }
    }
  }
  return value;
}

inline void read_graph(pbf_reader reader, ReadModel& model) {
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        model.nodes.push_back(node_in(reader.get_message()));
        break;
      case 2:
        model.name = reader.get_string();
        break;
      case 5:
        if (!model.tensors.insert(tensor_in(reader.get_message())).second) {
          throw std::runtime_error("two tensors of one name");
        }
        break;
      case 11:
        model.inputs.push_back(value_in(reader.get_message()));
        break;
      case 12:
        model.outputs.push_back(value_in(reader.get_message()));
        break;
      default:
        unknown("GraphProto", reader);
    }
  }
}

}  // namespace onnx

inline std::string bytes_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

// Reads a model, and the bytes of tensors that it stores in another file.
inline ReadModel read_onnx(const std::filesystem::path& path) {
  const std::string bytes = bytes_of_file(path);
  ReadModel model;
  protozero::pbf_reader reader(bytes);
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        model.ir_version = reader.get_int64();
        break;
      case 2:
        model.producer = reader.get_string();
        break;
      case 3:
        model.version = reader.get_string();
        break;
      case 6:
        model.description = reader.get_string();
        break;
      case 7:
        onnx::read_graph(reader.get_message(), model);
        break;
      case 8: {
        protozero::pbf_reader operators = reader.get_message();
        while (operators.next(2)) model.operators = operators.get_int64();
        break;
      }
      case 14:
        model.metadata.insert(onnx::pair_in(reader.get_message()));
        break;
      default:
        onnx::unknown("ModelProto", reader);
    }
  }
  for (auto& [name, tensor] : model.tensors) {
    if (tensor.external.empty()) continue;
    const std::string data = bytes_of_file(path.parent_path() / tensor.external.at("location"));
    tensor.bytes = data.substr(std::stoull(tensor.external.at("offset")),
                               std::stoull(tensor.external.at("length")));
  }
  return model;
}

}  // namespace fcm::test
