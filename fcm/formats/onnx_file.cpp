#include "fcm/formats/onnx_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <protozero/pbf_writer.hpp>
#include <protozero/varint.hpp>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/system_call.h"
#include "fcm/formats/onnx_fields.h"

namespace fcm::formats {
namespace {

namespace fs = std::filesystem;
using protozero::pbf_writer;

constexpr int64_t kIrVersion = 8;  // the IR version released with this operator set
constexpr const char* kBatchName = "N";
constexpr const char* kOnnxWriter = "onnx";  // name in failpoints
constexpr uint64_t kLeastExternal = 1024;    // bytes; smaller tensors stay in the model
// Bytes; tensors at such multiples in the data file can be mapped into memory.
constexpr uint64_t kAlignment = 4096;

uint64_t aligned(uint64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

// The header of a length-delimited field: its tag and its length in bytes.
std::string head_of_field(onnx::Tag tag, uint64_t length) {
  constexpr uint32_t kLengthDelimited = 2;
  std::string head;
  protozero::add_varint_to_buffer(&head, (uint64_t{tag} << 3U) | kLengthDelimited);
  protozero::add_varint_to_buffer(&head, length);
  return head;
}

std::string attribute_of(const std::string& name, const OnnxAttribute& value) {
  namespace field = onnx::attribute;
  std::string bytes;
  pbf_writer message(bytes);
  message.add_string(field::kName, name);
  if (const auto* number = std::get_if<int64_t>(&value)) {
    message.add_int64(field::kInt, *number);
    message.add_int32(field::kType, field::kIsInt);
  } else if (const auto* real = std::get_if<float>(&value)) {
    message.add_float(field::kFloat, *real);
    message.add_int32(field::kType, field::kIsFloat);
  } else {
    for (const int64_t one : std::get<std::vector<int64_t>>(value)) {
      message.add_int64(field::kInts, one);
    }
    message.add_int32(field::kType, field::kAreInts);
  }
  return bytes;
}

std::string node_of(const OnnxNode& node) {
  namespace field = onnx::node;
  std::string bytes;
  pbf_writer message(bytes);
  for (const std::string& input : node.inputs) message.add_string(field::kInput, input);
  for (const std::string& output : node.outputs) message.add_string(field::kOutput, output);
  message.add_string(field::kName, node.outputs.front());
  message.add_string(field::kOperator, node.op);
  for (const auto& [name, value] : node.attributes) {
    message.add_message(field::kAttribute, attribute_of(name, value));
  }
  return bytes;
}

std::string value_of(const OnnxValue& value) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_string(onnx::value::kName, value.name);
  pbf_writer type(message, onnx::value::kType);
  pbf_writer tensor(type, onnx::type::kTensor);
  tensor.add_int32(onnx::tensor_type::kElement, static_cast<int32_t>(value.type));
  pbf_writer shape(tensor, onnx::tensor_type::kShape);
  for (const int64_t size : value.shape) {
    pbf_writer dim(shape, onnx::shape::kDim);
    if (size == kAnyBatch) {
      dim.add_string(onnx::dim::kName, kBatchName);
    } else {
      dim.add_int64(onnx::dim::kValue, size);
    }
  }
  return bytes;
}

std::string pair_of(const std::string& key, const std::string& value) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_string(onnx::pair::kKey, key);
  message.add_string(onnx::pair::kValue, value);
  return bytes;
}

// Where tensors are stored: in the data file at an offset, or in the model.
struct TensorLocations {
  std::string location;                        // the data file's name; empty: there is none
  std::vector<std::optional<uint64_t>> first;  // offset of each tensor; nullopt: in the model
  bool external(size_t i) const { return !location.empty() && first[i].has_value(); }
};

TensorLocations external_locations(const OnnxModel& model, const std::string& location) {
  TensorLocations locations{location, {}};
  uint64_t end = 0;
  for (const OnnxInitializer& tensor : model.initializers) {
    if (tensor.bytes() < kLeastExternal) {
      locations.first.emplace_back();
      continue;
    }
    locations.first.emplace_back(aligned(end));
    end = aligned(end) + tensor.bytes();
  }
  return locations;
}

// A tensor message. For a tensor in the model the message ends with the header of its bytes; the
// caller writes the bytes after it.
std::string tensor_of(const OnnxInitializer& tensor, const TensorLocations& locations, size_t i) {
  namespace field = onnx::tensor;
  std::string bytes;
  pbf_writer message(bytes);
  for (const int64_t size : tensor.shape) message.add_int64(field::kDims, size);
  message.add_int32(field::kType, static_cast<int32_t>(tensor.type));
  message.add_string(field::kName, tensor.name);
  if (!locations.external(i)) return bytes + head_of_field(field::kBytes, tensor.bytes());
  message.add_message(field::kExternal, pair_of("location", locations.location));
  message.add_message(field::kExternal, pair_of("offset", fmt::to_string(*locations.first[i])));
  message.add_message(field::kExternal, pair_of("length", fmt::to_string(tensor.bytes())));
  message.add_int32(field::kLocation, field::kIsExternal);
  return bytes;
}

std::string without_tensors(const OnnxModel& model) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_string(onnx::graph::kName, model.name);
  for (const OnnxNode& node : model.nodes) message.add_message(onnx::graph::kNode, node_of(node));
  for (const OnnxValue& input : model.inputs) {
    message.add_message(onnx::graph::kInput, value_of(input));
  }
  for (const OnnxValue& output : model.outputs) {
    message.add_message(onnx::graph::kOutput, value_of(output));
  }
  return bytes;
}

std::string before_graph(const OnnxModel& model) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_int64(onnx::model::kIrVersion, kIrVersion);
  message.add_string(onnx::model::kProducer, model.producer);
  message.add_string(onnx::model::kProducerVersion, model.version);
  message.add_string(onnx::model::kDescription, model.description);
  {
    pbf_writer operators(message, onnx::model::kOperators);
    operators.add_int64(onnx::operators::kVersion, kOnnxOperators);
  }
  for (const auto& [key, value] : model.metadata) {
    message.add_message(onnx::model::kMetadata, pair_of(key, value));
  }
  return bytes;
}

void write_bytes(FileWriter& file, const OnnxInitializer& tensor) {
  uint64_t written = 0;
  tensor.write_to([&](std::span<const std::byte> bytes) {
    file.write(bytes);
    written += bytes.size();
  });
  require(written == tensor.bytes(), "write_onnx: got {} bytes of {}, expected {}", written,
          tensor.name, tensor.bytes());
}

void write_model(FileWriter& file, const OnnxModel& model, const TensorLocations& locations) {
  const std::string rest = without_tensors(model);
  std::vector<std::string> heads;  // tensor messages, each with its field header
  uint64_t length = rest.size();
  for (size_t i = 0; i < model.initializers.size(); ++i) {
    const OnnxInitializer& tensor = model.initializers[i];
    const std::string head = tensor_of(tensor, locations, i);
    const uint64_t inside = head.size() + (locations.external(i) ? 0 : tensor.bytes());
    heads.push_back(head_of_field(onnx::graph::kInitializer, inside) + head);
    length += heads.back().size() + (locations.external(i) ? 0 : tensor.bytes());
  }
  file.write(before_graph(model));
  file.write(head_of_field(onnx::model::kGraph, length));
  file.write(rest);
  for (size_t i = 0; i < heads.size(); ++i) {
    file.write(heads[i]);
    if (!locations.external(i)) write_bytes(file, model.initializers[i]);
  }
}

void write_data(FileWriter& file, const OnnxModel& model, const TensorLocations& locations) {
  uint64_t end = 0;
  for (size_t i = 0; i < model.initializers.size(); ++i) {
    if (!locations.external(i)) continue;
    file.write(std::string(*locations.first[i] - end, '\0'));
    write_bytes(file, model.initializers[i]);
    end = *locations.first[i] + model.initializers[i].bytes();
  }
}

// A temporary file beside its destination; the destructor removes it unless move() succeeded.
class TemporaryFile {
 public:
  explicit TemporaryFile(fs::path destination)
      : destination_(std::move(destination)),
        temporary_(destination_.string() + ".tmp"),
        file_(temporary_, ExitCode::kCheckpoint, kOnnxWriter) {}
  ~TemporaryFile() {
    if (!moved_) system_call::unlink(kOnnxWriter, temporary_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  FileWriter& file() { return file_; }
  void move() {
    move_into_place(temporary_, destination_, ExitCode::kCheckpoint, kOnnxWriter);
    moved_ = true;
  }

 private:
  fs::path destination_, temporary_;
  FileWriter file_;
  bool moved_ = false;
};

}  // namespace

uint64_t OnnxInitializer::bytes() const {
  uint64_t count = type == OnnxType::kFloat ? sizeof(float) : sizeof(int64_t);
  for (const int64_t size : shape) count *= static_cast<uint64_t>(size);
  return count;
}

fs::path onnx_data_path(const fs::path& file) { return file.string() + ".data"; }

bool needs_onnx_data(const OnnxModel& model, uint64_t most_bytes) {
  uint64_t bytes = without_tensors(model).size() + before_graph(model).size();
  for (const OnnxInitializer& tensor : model.initializers) {
    constexpr uint64_t kHead = 256;  // bytes; more than any tensor message takes besides its data
    bytes += tensor.bytes() + kHead;
  }
  return bytes > most_bytes;
}

void write_onnx(const fs::path& file, const OnnxModel& model, uint64_t most_bytes) {
  TensorLocations locations;
  std::optional<TemporaryFile> data;
  if (needs_onnx_data(model, most_bytes)) {
    const fs::path path = onnx_data_path(file);
    locations = external_locations(model, path.filename());
    data.emplace(path);
    write_data(data->file(), model, locations);
    data->file().finish();
  }
  TemporaryFile temporary(file);
  write_model(temporary.file(), model, locations);
  temporary.file().finish();
  if (data) {
    system_call::unlink(kOnnxWriter, file);  // an older model would refer to other data
    data->move();
  }
  temporary.move();
}

}  // namespace fcm::formats
