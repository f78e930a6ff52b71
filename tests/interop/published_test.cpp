// Training files of the upstream programs, read and written back.
#include "fcm/interop/published.h"

#include <fstream>

#include "fcm/formats/safetensors.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/load_any.h"
#include "tests/formats/pth_support.h"
#include "tests/interop/stored_tensors.h"

namespace fcm::interop {
namespace {

using namespace formats;

using Json = nlohmann::ordered_json;

class Published : public TemporaryFolderTest {
 protected:
  void SetUp() override {
    if (!fs::exists(stored_files())) GTEST_SKIP() << "no ../shared/fixtures beside the checkout";
  }
  static fs::path stored(const std::string& name) { return stored_files() / "checkpoints" / name; }
  static checkpoint::Checkpoint load_stored(const std::string& name) {
    SilentReporter silence;
    return load_any(stored(name), true, silence);
  }
  static Json expected_json(const std::string& name) {
    std::ifstream stream(stored(name + ".expected.json"));
    return Json::parse(stream);
  }
};

TEST_F(Published, EverythingInACheckpointIsFound) {
  const checkpoint::Checkpoint checkpoint = load_stored("checkpoint-0.pth");
  const formats::TensorFile golden =
      formats::read_safetensors(stored("checkpoint-0.expected.safetensors"));
  const Json facts = expected_json("checkpoint-0");
  const Json& names = facts.at("model.dtypes");
  ASSERT_EQ(checkpoint.model.tensors.size(), names.size());
  std::vector<std::string> no_decay, decay;
  for (const formats::TensorView& tensor : checkpoint.model.tensors) {
    EXPECT_TRUE(is_stored(tensor, "model." + tensor.name, golden)) << tensor.name;
    if (tensor.name.ends_with("pos_embed")) continue;
    const bool plain = tensor.shape.size() == 1 || tensor.name.ends_with(".bias");
    (plain ? no_decay : decay).push_back(tensor.name);
  }
  no_decay.insert(no_decay.end(), decay.begin(), decay.end());
  ASSERT_EQ(checkpoint.optimizer.tensors.size(), 2 * no_decay.size());
  for (size_t i = 0; i < no_decay.size(); ++i) {
    for (const std::string moment : {"exp_avg", "exp_avg_sq"}) {
      const formats::TensorView* ours = checkpoint.optimizer.find(moment + "." + no_decay[i]);
      ASSERT_NE(ours, nullptr) << no_decay[i];
      const std::string theirs = fmt::format("optimizer.state.{}.{}", i, moment);
      EXPECT_TRUE(is_stored(*ours, theirs, golden)) << no_decay[i];
    }
  }
  EXPECT_EQ(checkpoint.format, "pth");
  EXPECT_EQ(checkpoint.state.at("optimizer_steps"), 2);
  EXPECT_EQ(checkpoint.state.at("published_epoch"), 0);
  EXPECT_EQ(checkpoint.state.at("scaler"), nlohmann::json(facts.at("scaler")));
  EXPECT_EQ(checkpoint.state.at("args").at("output_dir"), "output_dir");  // a path, kept as text
  EXPECT_EQ(checkpoint.state.at("args").at("lr"), 0.01);
  EXPECT_EQ(checkpoint.state.at("optimizer").at("lr"), 0.0005);
  // Negative control: the comparison detects a wrong tensor.
  EXPECT_FALSE(is_stored(checkpoint.model.tensors[0], "model.mask_token", golden));
}

TEST_F(Published, FilesOfAllKindsGiveTheSameWeights) {
  const formats::TensorFile golden = formats::read_safetensors(stored("mini.expected.safetensors"));
  for (const char* name : {"mini_legacy.pth", "mini_torch18_cuda.pth", "mini_model_only.pth",
                           "mini_bare_state_dict.pth"}) {
    const checkpoint::Checkpoint checkpoint = load_stored(name);
    EXPECT_GT(checkpoint.model.tensors.size(), 100U) << name;
    for (const formats::TensorView& tensor : checkpoint.model.tensors) {
      EXPECT_TRUE(is_stored(tensor, "model." + tensor.name, golden)) << name << ": " << tensor.name;
    }
    const bool trained = checkpoint.state.contains("optimizer_steps");
    const bool whole =
        std::string(name).find("mini_legacy") == 0 || std::string(name).find("mini_torch18") == 0;
    EXPECT_EQ(trained, whole) << name;
    EXPECT_EQ(!checkpoint.optimizer.tensors.empty(), whole) << name;
  }
  // Old PyTorch versions store step counts as Python numbers, new ones as tensors.
  EXPECT_EQ(load_stored("mini_torch18_cuda.pth").state.at("optimizer_steps"),
            load_stored("mini_legacy.pth").state.at("optimizer_steps"));
}

bool same(const formats::TensorFile& one, const formats::TensorFile& other) {
  return same_tensors(one, other.tensors);
}

void write_back(const checkpoint::Checkpoint& checkpoint, const fs::path& path) {
  const nlohmann::json& state = checkpoint.state;
  write_published(path, {checkpoint.model.tensors,
                         checkpoint.optimizer.tensors,
                         {state.at("optimizer_steps").get<int64_t>(), 5e-4},
                         state.at("published_epoch").get<int64_t>(),
                         state.at("scaler"),
                         state.at("args"),
                         "a recipe",
                         /*facts=*/""});
}

TEST_F(Published, WhatIsWrittenBackIsWhatWasRead) {
  SilentReporter silence;
  const checkpoint::Checkpoint before = load_stored("checkpoint-0.pth");
  write_back(before, folder_ / "back.pth");
  const checkpoint::Checkpoint after = load_any(folder_ / "back.pth", true, silence);
  EXPECT_TRUE(same(before.model, after.model));
  EXPECT_TRUE(same(before.optimizer, after.optimizer));
  EXPECT_EQ(after.state.at("recipe"), "a recipe");
  for (const auto& [key, value] : before.state.items()) {
    EXPECT_EQ(after.state.at(key), value) << key;
  }
}

// The written optimizer has the groups, indices and keys of the upstream optimizer.
TEST_F(Published, TheOptimizerIsWrittenAsPublished) {
  write_back(load_stored("checkpoint-0.pth"), folder_ / "back.pth");
  const formats::PthFile file = formats::read_pth(folder_ / "back.pth");
  const formats::Value* groups = file.root.find("optimizer")->find("param_groups");
  const Json expected = expected_json("checkpoint-0").at("optimizer.param_groups");
  const auto& list = std::get<formats::Value::List>(groups->data);
  ASSERT_EQ(list.size(), expected.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const auto& dict = std::get<formats::Value::Dict>(list[i].data);
    std::vector<std::string> keys, wanted_keys;
    for (const auto& [key, value] : dict.items) keys.push_back(std::get<std::string>(key.data));
    for (const auto& [key, value] : expected[i].items()) wanted_keys.push_back(key);
    EXPECT_EQ(keys, wanted_keys);
    const auto& params = std::get<formats::Value::List>(list[i].find("params")->data);
    ASSERT_EQ(params.size(), expected[i].at("params").size());
    for (size_t j = 0; j < params.size(); ++j) {
      EXPECT_EQ(std::get<int64_t>(params[j].data), expected[i].at("params")[j].get<int64_t>());
    }
    EXPECT_EQ(std::get<double>(list[i].find("weight_decay")->data),
              expected[i].at("weight_decay").get<double>());
    EXPECT_EQ(std::get<double>(list[i].find("lr")->data), expected[i].at("lr").get<double>());
  }
}

// SimMIM's files list the parameters with weight decay first, MAE's list them last.
TEST_F(Published, TheWeightDecayIsReadFromTheGroupThatHasOne) {
  SilentReporter silence;
  const fs::path swin = stored_files().parent_path() / "goldens" / "swin" / "checkpoints";
  const checkpoint::Checkpoint simmim = load_any(swin / "simmim_ckpt_epoch_0.pth", true, silence);
  EXPECT_EQ(simmim.state.at("optimizer").at("weight_decay"), 0.05);
  EXPECT_EQ(load_stored("checkpoint-0.pth").state.at("optimizer").at("weight_decay"), 0.05);
}

// A moving average of the weights beside the upstream content. These tests need no stored file.
class Average : public TemporaryFolderTest {
 protected:
  checkpoint::Checkpoint there_and_back(std::span<const formats::TensorView> model,
                                        std::span<const formats::TensorView> average) {
    PublishedFile file;
    file.model = model;
    file.average = average;
    write_published(folder_ / "run.pth", file);
    SilentReporter silence;
    return load_any(folder_ / "run.pth", true, silence);
  }
  static formats::TensorView view(const char* name, const std::vector<float>& values) {
    return {name, "F32", {std::ssize(values)}, std::as_bytes(std::span(values))};
  }
  const std::vector<float> one_ = {1, 2, 3}, other_ = {4, 5, 6}, third_ = {7};
};

TEST_F(Average, ComesBackToTheBitBehindItsPrefix) {
  const std::vector<formats::TensorView> model = {view("norm.weight", one_),
                                                  view("norm.bias", third_)};
  const std::vector<formats::TensorView> average = {view("ema.norm.weight", other_),
                                                    view("ema.norm.bias", third_)};
  const checkpoint::Checkpoint after = there_and_back(model, average);
  EXPECT_TRUE(same_tensors(after.model, model));
  EXPECT_TRUE(same_tensors(after.optimizer, average));
  const formats::PthFile file = formats::read_pth(folder_ / "run.pth");
  const formats::Value* kept = file.root.find("model_ema");
  ASSERT_NE(kept, nullptr);
  EXPECT_NE(kept->find("norm.weight"), nullptr)
      << "the average must be a state_dict without a prefix";
}

TEST_F(Average, OfAnotherProgramIsFoundUnderItsWrapper) {
  const std::vector<formats::TensorView> model = {view("norm.weight", one_)};
  const std::vector<formats::TensorView> wrapped = {view("ema.module.norm.weight", other_)};
  const checkpoint::Checkpoint after = there_and_back(model, wrapped);
  ASSERT_EQ(after.optimizer.tensors.size(), 1U);
  EXPECT_EQ(after.optimizer.tensors[0].name, "ema.norm.weight");
}

TEST_F(Average, IsAbsentWhereThereIsNone) {
  const std::vector<formats::TensorView> model = {view("norm.weight", one_)};
  EXPECT_TRUE(there_and_back(model, {}).optimizer.tensors.empty());
  EXPECT_EQ(formats::read_pth(folder_ / "run.pth").root.find("model_ema"), nullptr);
}

// A stored upstream file, which each test changes.
class Altered : public Published {
 protected:
  void SetUp() override {
    Published::SetUp();
    if (IsSkipped()) return;
    file_ = formats::read_pth(stored("checkpoint-0.pth"));
  }
  formats::Value::Dict& dict(std::initializer_list<std::string> path) {
    formats::Value* at = &file_.root;
    for (const std::string& key : path) at = const_cast<formats::Value*>(at->find(key));
    return std::get<formats::Value::Dict>(at->data);
  }
  std::string reason() {
    const checkpoint::Checkpoint checkpoint =
        from_pth(std::move(file_), "altered.pth", true, silence_);
    EXPECT_TRUE(checkpoint.optimizer.tensors.empty());
    return checkpoint.state.value("optimizer_left_out", "");
  }
  formats::PthFile file_;
  SilentReporter silence_;
};

TEST_F(Altered, UnequalUpdateCountsAreRefused) {
  auto& first = dict({"optimizer", "state"}).items.front().value;
  for (auto& [key, value] : std::get<formats::Value::Dict>(first.data).items) {
    if (std::get<std::string>(key.data) == "step") value = formats::Value{int64_t{7}};
  }
  EXPECT_NE(reason().find("keeps one count"), std::string::npos);
}

TEST_F(Altered, AnotherNumberingIsRefused) {
  auto& items = dict({"optimizer", "state"}).items;
  std::swap(items[0].value, items[120].value);
  EXPECT_NE(reason().find("another order"), std::string::npos);
}

TEST_F(Altered, AMissingStateIsRefused) {
  dict({"optimizer", "state"}).items.pop_back();
  EXPECT_NE(reason().find("no state of"), std::string::npos);
}

TEST_F(Altered, StateDictsAreFoundWhereverTheyAre) {
  formats::Value::Dict outer;
  outer.items.push_back(
      {formats::Value{std::string("state_dict")}, formats::Value{dict({"model"})}});
  file_.root = formats::Value{outer};
  const checkpoint::Checkpoint checkpoint =
      from_pth(std::move(file_), "altered.pth", true, silence_);
  EXPECT_TRUE(same(checkpoint.model, load_stored("checkpoint-0.pth").model));
}

TEST_F(Altered, PrefixesAreTakenOff) {
  for (auto& [key, value] : dict({"model"}).items) {
    const std::string name = std::get<std::string>(key.data);
    const bool decoder = name.starts_with("decoder") || name == "mask_token";
    key = formats::Value{"module." + std::string(decoder ? "decoder." : "encoder.") + name};
  }
  const checkpoint::Checkpoint checkpoint =
      from_pth(std::move(file_), "altered.pth", true, silence_);
  const checkpoint::Checkpoint plain = load_stored("checkpoint-0.pth");
  EXPECT_TRUE(same(checkpoint.model, plain.model));
  EXPECT_TRUE(same(checkpoint.optimizer, plain.optimizer));
}

}  // namespace
}  // namespace fcm::interop
