// Compares what is read from files written by PyTorch with expected tensors and facts, which are
// stored beside them.
#include <bit>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "fcm/formats/safetensors.h"
#include "tests/formats/pth_support.h"

namespace fcm::formats {
namespace {

using nlohmann::json;

// A tensor element as a double, which is exact for bf16, f16, f32, f64, bool and the integers in
// these files.
double element(const TensorView& tensor, size_t index) {
  const auto at = [&](auto type) {
    decltype(type) value;
    std::memcpy(&value, tensor.bytes.data() + index * sizeof value, sizeof value);
    return value;
  };
  if (tensor.dtype == "F64") return at(double{});
  if (tensor.dtype == "F32") return at(float{});
  if (tensor.dtype == "I64") return static_cast<double>(at(int64_t{}));
  if (tensor.dtype == "I32") return at(int32_t{});
  if (tensor.dtype == "I16") return at(int16_t{});
  if (tensor.dtype == "U8" || tensor.dtype == "BOOL") return at(uint8_t{});
  if (tensor.dtype == "BF16") {
    return std::bit_cast<float>(static_cast<uint32_t>(at(uint16_t{})) << 16);
  }
  if (tensor.dtype == "F16") {
    const uint16_t bits = at(uint16_t{});
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const double size =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(mantissa + 1024, exponent - 25);
    return (bits & 0x8000) != 0 ? -size : size;
  }
  ADD_FAILURE() << tensor.dtype;
  return 0;
}

size_t count_of(const TensorView& tensor) {
  size_t count = 1;
  for (const int64_t extent : tensor.shape) count *= static_cast<size_t>(extent);
  return count;
}

const TensorView* find(const PthFile& file, const std::string& name) {
  for (const TensorView& tensor : file.tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

struct Comparison {
  size_t compared = 0;
  std::vector<std::string> wrong;  // names of tensors that are absent or differ in shape or value
};

bool same_values(const TensorView& found, const TensorView& wanted, const TensorView* places) {
  if (places == nullptr && found.shape != wanted.shape) return false;
  for (size_t i = 0; i < count_of(wanted); ++i) {
    const size_t at = places == nullptr ? i : static_cast<size_t>(element(*places, i));
    if (at >= count_of(found) || element(found, at) != element(wanted, i)) return false;
  }
  return true;
}

// Compares every expected tensor whose name begins with `strip`; large ones are stored as samples.
// The file's names are the stored names without the prefix `strip` and with the prefix `prepend`.
Comparison compare(const PthFile& file, const fs::path& expected_file,
                   const std::string& strip = "", const std::string& prepend = "") {
  const TensorFile expected = read_safetensors(expected_file);
  Comparison result;
  for (const TensorView& wanted : expected.tensors) {
    std::string name = wanted.name;
    const TensorView* places = nullptr;
    if (name.ends_with(".idx") || !name.starts_with(strip)) continue;
    if (name.ends_with(".val")) {
      name.resize(name.size() - 4);
      places = expected.find(name + ".idx");
    }
    name = prepend + name.substr(strip.size());
    const TensorView* found = find(file, name);
    if (found == nullptr || !same_values(*found, wanted, places)) result.wrong.push_back(name);
    ++result.compared;
  }
  return result;
}

size_t expect_tensors(const PthFile& file, const fs::path& expected_file,
                      const std::string& strip = "", const std::string& prepend = "") {
  const Comparison result = compare(file, expected_file, strip, prepend);
  EXPECT_EQ(result.wrong, std::vector<std::string>{});
  return result.compared;
}

// The tree in the form of the stored JSON: paths are {"pathlib.PosixPath": text}, and tensors of
// one element are numbers.
json as_json(const Value& value, const PthFile& file) {
  const auto list = [&](const Value::List& items) {
    json result = json::array();
    for (const Value& item : items) result.push_back(as_json(item, file));
    return result;
  };
  const auto dict = [&](const Value::Dict& held) {
    json result = json::object();
    for (const auto& [key, item] : held.items) {
      const auto* text = std::get_if<std::string>(&key.data);
      result[text != nullptr ? *text : as_json(key, file).dump()] = as_json(item, file);
    }
    return result;
  };
  return std::visit(
      [&](const auto& held) -> json {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<T, Value::List>) {
          return list(held);
        } else if constexpr (std::is_same_v<T, Value::Tuple>) {
          return list(held.items);
        } else if constexpr (std::is_same_v<T, Value::Dict>) {
          return dict(held);
        } else if constexpr (std::is_same_v<T, Value::Namespace>) {
          return dict(held.members);
        } else if constexpr (std::is_same_v<T, Value::Size>) {
          return held.extents;
        } else if constexpr (std::is_same_v<T, Value::Path>) {
          return {{"pathlib.PosixPath", held.text}};
        } else if constexpr (std::is_same_v<T, Value::Bytes>) {
          return held.data;
        } else if constexpr (std::is_same_v<T, Value::Opaque>) {
          return held.what;
        } else if constexpr (std::is_same_v<T, Value::Tensor>) {
          const TensorView& tensor = file.tensors.at(held.index);
          return count_of(tensor) == 1 ? json(element(tensor, 0)) : json(tensor.name);
        } else {
          return held;
        }
      },
      value.data);
}

const char* dtype_in_torch(const std::string& dtype) {
  static const std::map<std::string, const char*> names = {
      {"F64", "float64"},   {"F32", "float32"}, {"F16", "float16"},
      {"BF16", "bfloat16"}, {"I64", "int64"},   {"I32", "int32"},
      {"I16", "int16"},     {"U8", "uint8"},    {"BOOL", "bool"}};
  return names.at(dtype);
}

// Compares the stored facts. The key "optimizer.param_groups" is a path in the tree, "model.dtypes"
// maps the tensors below "model" to dtypes, and "optimizer.step" maps parameter indices to steps.
size_t expect_facts(const PthFile& file, const fs::path& expected_file) {
  const json expected = json::parse(read_file(expected_file, ExitCode::kCheckpoint));
  const json found = as_json(file.root, file);
  size_t compared = 0;
  for (const auto& [key, wanted] : expected.items()) {
    if (key == "model.dtypes") {
      for (const auto& [name, dtype] : wanted.items()) {
        const TensorView* tensor = find(file, "model." + name);
        EXPECT_TRUE(tensor != nullptr && dtype_in_torch(tensor->dtype) == dtype) << name;
      }
    } else if (key == "shapes" || key == "model.shapes") {
      for (const auto& [name, shape] : wanted.items()) {
        const TensorView* tensor = find(file, "model." + name);
        EXPECT_TRUE(tensor != nullptr && json(tensor->shape) == shape) << name;
      }
    } else if (key == "optimizer.step") {
      for (const auto& [index, step] : wanted.items()) {
        EXPECT_EQ(found["optimizer"]["state"][index]["step"].get<double>(), step) << index;
      }
    } else if (key == "optimizer.param_groups") {
      for (size_t i = 0; i < wanted.size(); ++i) {
        for (const auto& [name, value] : found["optimizer"]["param_groups"][i].items()) {
          EXPECT_EQ(wanted[i].value(name, json("absent")), value) << name;
        }
      }
    } else {
      EXPECT_EQ(found.value(key, json("absent")), wanted) << key;
    }
    ++compared;
  }
  return compared;
}

class StoredPth : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(stored_files())) GTEST_SKIP() << "no stored files in " << stored_files();
  }
  static fs::path checkpoint(const std::string& name) {
    return stored_files() / "checkpoints" / name;
  }
};

TEST_F(StoredPth, TrainingCheckpointsOfBothContainers) {
  for (const char* name : {"mini_legacy.pth", "mini_torch18_cuda.pth"}) {
    SCOPED_TRACE(name);
    const PthFile file = read_pth(checkpoint(name));
    EXPECT_EQ(expect_tensors(file, checkpoint("mini.expected.safetensors")), 491U);
    EXPECT_GE(expect_facts(file, checkpoint("mini.expected.json")), 6U);
    EXPECT_NO_THROW(verify_pth(checkpoint(name)));
  }
}

TEST_F(StoredPth, WeightsAloneAndBare) {
  const fs::path expected = checkpoint("mini.expected.safetensors");
  const PthFile nested = read_pth(checkpoint("mini_model_only.pth"));
  const PthFile bare = read_pth(checkpoint("mini_bare_state_dict.pth"));
  EXPECT_EQ(expect_tensors(nested, expected, "model.", "model."), 165U);
  EXPECT_EQ(expect_tensors(bare, expected, "model."), 165U);
}

TEST_F(StoredPth, ACheckpointOfThePublishedProgram) {
  const PthFile file = read_pth(checkpoint("checkpoint-0.pth"));
  EXPECT_GE(expect_tensors(file, checkpoint("checkpoint-0.expected.safetensors")), 400U);
  EXPECT_GE(expect_facts(file, checkpoint("checkpoint-0.expected.json")), 6U);
  const Value* args = file.root.find("args");
  ASSERT_NE(args, nullptr);
  EXPECT_TRUE(std::holds_alternative<Value::Namespace>(args->data));
  EXPECT_TRUE(std::holds_alternative<Value::Path>(args->find("output_dir")->data));
  EXPECT_TRUE(std::get<Value::Dict>(file.root.find("model")->data).ordered);
  EXPECT_NO_THROW(verify_pth(checkpoint("checkpoint-0.pth")));
}

TEST_F(StoredPth, MixedTypesAndViews) {
  for (const std::string kind : {"mixed_dtype", "views"}) {
    for (const std::string ending : {".pth", "_legacy.pth"}) {
      SCOPED_TRACE(kind + ending);
      const PthFile file = read_pth(checkpoint(kind + ending));
      EXPECT_EQ(expect_tensors(file, checkpoint(kind + ".expected.safetensors")),
                file.tensors.size());
      EXPECT_GE(expect_facts(file, checkpoint(kind + ".expected.json")), 1U);
    }
  }
}

TEST_F(StoredPth, FilesOfTeachers) {
  const fs::path folder = stored_files() / "teachers";
  const PthFile bare = read_pth(folder / "dino_tiny.pth");
  EXPECT_EQ(expect_tensors(bare, folder / "dino_tiny.golden.safetensors", "state."),
            bare.tensors.size());
  const PthFile full = read_pth(folder / "dino_tiny_full.pth");
  EXPECT_EQ(
      expect_tensors(full, folder / "dino_tiny.golden.safetensors", "state.", "teacher.backbone."),
      bare.tensors.size());
}

// The attributes of TorchScript modules are read; the archive's code is not.
TEST_F(StoredPth, ATorchScriptArchive) {
  const fs::path folder = stored_files() / "teachers";
  const PthFile file = read_pth(folder / "clip_tiny_fp16.pt");
  EXPECT_EQ(expect_tensors(file, folder / "clip_tiny_fp16.expected.safetensors", ""), 80U);
  const Value* const visual = file.root.find("visual");
  ASSERT_NE(visual, nullptr);
  EXPECT_TRUE(std::holds_alternative<Value::Namespace>(visual->data));
}

// Negative control: the comparison detects one changed bit.
TEST_F(StoredPth, OneChangedBitIsNoticed) {
  PthFile file = read_pth(checkpoint("mixed_dtype.pth"));
  const TensorView& tensor = file.tensors.at(7);
  const size_t place = static_cast<size_t>(tensor.bytes.data() - file.storage.data());
  file.storage.bytes()[place] ^= std::byte{1};
  EXPECT_EQ(compare(file, checkpoint("mixed_dtype.expected.safetensors")).wrong,
            std::vector<std::string>{tensor.name});
}

}  // namespace
}  // namespace fcm::formats
