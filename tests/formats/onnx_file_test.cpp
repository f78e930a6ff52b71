// Tests ONNX files: the program writes them, and an independent reader reads their bytes.
#include "fcm/formats/onnx_file.h"

#include <gtest/gtest.h>

#include <numeric>

#include "fcm/base/error.h"
#include "fcm/base/failpoint.h"
#include "tests/support/error_of.h"
#include "tests/support/onnx_reader.h"
#include "tests/support/scratch.h"

namespace fcm::formats {
namespace {

namespace fs = std::filesystem;
using test::read_onnx;
using test::Scratch;

std::vector<float> counted(size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.5F);
  return values;
}

OnnxInitializer tensor(const std::string& name, std::vector<int64_t> shape) {
  const auto count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  return {name, OnnxType::kFloat, std::move(shape), [count](const OnnxInitializer::Take& take) {
            const std::vector<float> values = counted(static_cast<size_t>(count));
            // Delivers the bytes in two chunks, as for large tensors.
            const auto bytes = std::as_bytes(std::span(values));
            take(bytes.first(bytes.size() / 2));
            take(bytes.subspan(bytes.size() / 2));
          }};
}

OnnxModel small_model() {
  OnnxModel model;
  model.producer = "somebody";
  model.version = "1.2";
  model.name = "graph";
  model.description = "a model";
  model.metadata = {{"key", "value"}, {"other", ""}};
  model.nodes = {{"MatMul", {"x", "weight"}, {"y"}, {}},
                 {"Softmax", {"y"}, {"z"}, {{"axis", int64_t{-1}}}},
                 {"Transpose", {"z"}, {"out"}, {{"perm", std::vector<int64_t>{1, 0}}}},
                 {"Odd", {"z"}, {"also"}, {{"epsilon", 1e-5F}}}};
  model.initializers = {tensor("weight", {16, 32}), tensor("bias", {3}), tensor("scalar", {})};
  model.inputs = {{"x", OnnxType::kFloat, {kAnyBatch, 16}}};
  model.outputs = {{"out", OnnxType::kFloat, {32, kAnyBatch}}, {"also", OnnxType::kInt64, {}}};
  return model;
}

void expect_small_model(const test::ReadModel& read) {
  EXPECT_EQ(read.ir_version, 8);
  EXPECT_EQ(read.operators, kOnnxOperators);
  EXPECT_EQ(read.producer, "somebody");
  EXPECT_EQ(read.version, "1.2");
  EXPECT_EQ(read.name, "graph");
  EXPECT_EQ(read.description, "a model");
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"key", "value"}, {"other", ""}}));
  ASSERT_EQ(read.nodes.size(), 4U);
  EXPECT_EQ(read.nodes[0].op, "MatMul");
  EXPECT_EQ(read.nodes[0].inputs, (std::vector<std::string>{"x", "weight"}));
  EXPECT_EQ(read.nodes[0].outputs, std::vector<std::string>{"y"});
  EXPECT_EQ(read.nodes[1].numbers.at("axis"), -1);
  EXPECT_EQ(read.nodes[2].lists.at("perm"), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(read.nodes[3].reals.at("epsilon"), 1e-5F);
  ASSERT_EQ(read.tensors.size(), 3U);
  for (const auto& [name, shape] : std::map<std::string, std::vector<int64_t>>{
           {"weight", {16, 32}}, {"bias", {3}}, {"scalar", {}}}) {
    const test::ReadTensor& one = read.tensors.at(name);
    EXPECT_EQ(one.shape, shape) << name;
    EXPECT_EQ(one.type, 1);
    const std::vector<float> wanted = counted(one.bytes.size() / sizeof(float));
    EXPECT_EQ(std::memcmp(one.bytes.data(), wanted.data(), one.bytes.size()), 0) << name;
  }
  ASSERT_EQ(read.inputs.size(), 1U);
  EXPECT_EQ(read.inputs[0].shape, (std::vector<std::string>{"N", "16"}));
  ASSERT_EQ(read.outputs.size(), 2U);
  EXPECT_EQ(read.outputs[0].shape, (std::vector<std::string>{"32", "N"}));
  EXPECT_EQ(read.outputs[1].type, 7);
}

TEST(OnnxFile, HoldsWhatTheModelHolds) {
  const Scratch scratch;
  const fs::path file = scratch / "model.onnx";
  EXPECT_FALSE(needs_onnx_data(small_model()));
  write_onnx(file, small_model());
  expect_small_model(read_onnx(file));
  EXPECT_FALSE(fs::exists(onnx_data_path(file)));
}

// Models above the size limit of a protobuf message; the test sets the limit to 1000 bytes.
TEST(OnnxFile, LargeTensorsLieInAFileBesideIt) {
  const Scratch scratch;
  const fs::path file = scratch / "model.onnx";
  EXPECT_TRUE(needs_onnx_data(small_model(), 1000));
  write_onnx(file, small_model(), 1000);
  const test::ReadModel read = read_onnx(file);
  expect_small_model(read);
  EXPECT_EQ(read.tensors.at("weight").external.at("location"), "model.onnx.data");
  EXPECT_TRUE(read.tensors.at("bias").external.empty()) << "small tensors stay in the model's file";
  EXPECT_EQ(fs::file_size(onnx_data_path(file)), 16U * 32U * sizeof(float));
  EXPECT_LT(fs::file_size(file), 1000U);
}

TEST(OnnxFile, ExternalTensorsBeginWhereTheyCanBeMapped) {
  const Scratch scratch;
  const fs::path file = scratch / "model.onnx";
  OnnxModel model = small_model();
  model.initializers.push_back(tensor("second", {40, 40}));
  write_onnx(file, model, 1000);
  const test::ReadModel read = read_onnx(file);
  EXPECT_EQ(read.tensors.at("weight").external.at("offset"), "0");
  EXPECT_EQ(read.tensors.at("second").external.at("offset"), "4096");
  const std::vector<float> wanted = counted(1600);
  EXPECT_EQ(std::memcmp(read.tensors.at("second").bytes.data(), wanted.data(), 6400), 0);
}

// Like small_model(), but with another name and a weight of 17 rows instead of 16.
OnnxModel other_model() {
  OnnxModel model = small_model();
  model.name = "other";
  model.initializers[0] = tensor("weight", {17, 32});
  return model;
}

void expect_whole(const test::ReadModel& read) {
  const test::ReadTensor& weight = read.tensors.at("weight");
  EXPECT_EQ(weight.shape[0], read.name == "other" ? 17 : 16);
  EXPECT_EQ(weight.bytes.size(), static_cast<size_t>(weight.shape[0] * 32) * sizeof(float));
}

// Whichever call fails while a model is replaced, the file is a whole model or absent, and no
// temporary file remains.
TEST(OnnxFile, AFailureLeavesNoHalfModel) {
  const Scratch scratch(test::memory_folder());
  const fs::path file = scratch / "model.onnx";
  int failures = 0;
  for (int nth = 1;; ++nth) {
    write_onnx(file, other_model(), 1000);
    failpoint::arm(fmt::format("onnx:{}:ENOSPC", nth));
    bool failed = false;
    try {
      write_onnx(file, small_model(), 1000);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
      failed = true;
    }
    const bool reached = failpoint::hits() >= nth;
    failpoint::disarm();
    if (!reached) break;
    failures += failed ? 1 : 0;
    for (const auto& entry : fs::directory_iterator(scratch / "")) {
      EXPECT_NE(entry.path().extension(), ".tmp") << nth;
    }
    if (fs::exists(file)) expect_whole(read_onnx(file));
  }
  EXPECT_GT(failures, 5);
}

// Negative control: the reader of the tests detects a wrong byte.
TEST(OnnxFile, TheReaderOfTheTestsSeesAnError) {
  const Scratch scratch;
  const fs::path file = scratch / "model.onnx";
  write_onnx(file, small_model());
  std::string bytes = test::bytes_of_file(file);
  const size_t place = bytes.find("MatMul");
  ASSERT_NE(place, bytes.npos);
  bytes[place - 2] = static_cast<char>(bytes[place - 2] + 8);  // increments a field number
  std::ofstream(file, std::ios::binary) << bytes;
  EXPECT_ANY_THROW(expect_small_model(read_onnx(file)));
}

}  // namespace
}  // namespace fcm::formats
