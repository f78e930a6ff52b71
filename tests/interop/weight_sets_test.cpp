// The choice of the tensors in a file that are the weights, and the lines about the other tensors.
#include "fcm/interop/weight_sets.h"

#include <cstring>

#include "fcm/interop/architecture.h"
#include "fcm/interop/load_any.h"
#include "tests/formats/support.h"
#include "tests/interop/vit_tensors.h"

namespace fcm::interop {
namespace {

using formats::error_of;
using formats::RecordingReporter;
using formats::Value;
using nlohmann::json;
using test::dict_value;
using test::kSmallVitTensors;
using test::PthTree;
using test::small_vit;

class WeightSets : public formats::TemporaryFolderTest {
 protected:
  std::string write(const Value& root) {
    formats::write_pth(folder_ / "file.pth", root, tree_.tensors());
    return (folder_ / "file.pth").string();
  }
  checkpoint::Checkpoint load(const std::string& path) {
    reporter_ = RecordingReporter();
    return load_any(path, false, reporter_);
  }
  std::string said() const {
    std::string all;
    for (const std::string& line : reporter_.infos) all += line + "\n";
    return all;
  }
  // Whether the checkpoint holds exactly the bits of `wanted`.
  static bool is_vit(const checkpoint::Checkpoint& loaded, const test::Tensors& wanted) {
    if (loaded.model.tensors.size() != wanted.views.size()) return false;
    for (const formats::TensorView& one : wanted.views) {
      const formats::TensorView* found = loaded.model.find(one.name);
      if (found == nullptr || found->bytes.size() != one.bytes.size()) return false;
      if (std::memcmp(found->bytes.data(), one.bytes.data(), one.bytes.size()) != 0) return false;
    }
    return true;
  }
  // The tensors of small_vit() with other values.
  static test::Tensors other_vit() {
    test::Tensors tensors;
    for (const formats::TensorView& view : small_vit().views) tensors.add(view.name, view.shape);
    for (std::vector<float>& values : tensors.values) values[0] = 7;
    return tensors;
  }

  PthTree tree_;
  RecordingReporter reporter_;
};

TEST_F(WeightSets, ATensorBesideTheStateDictDoesNotHideIt) {
  const test::Tensors vit = small_vit();
  for (const char* key : {"model", "state_dict", "model_state_dict", "net", "my_network"}) {
    for (const char* beside : {"loss", "best_acc1", "center", "rng", "a"}) {
      tree_ = PthTree();
      test::Tensors one;
      one.add("x", {3});
      const std::string file = write(dict_value({{beside, tree_.tensor(one.views[0])},
                                                 {key, tree_.state_dict(vit)},
                                                 {"z", tree_.tensor(one.views[0])}}));
      EXPECT_TRUE(is_vit(load(file), vit)) << key << beside;
      EXPECT_EQ(said(), "");
    }
  }
}

TEST_F(WeightSets, WhatWrappersPutInFrontAndInBetweenIsTakenOff) {
  const test::Tensors vit = small_vit();
  for (const char* front :
       {"", "module.", "module._orig_mod.", "_fsdp_wrapped_module.", "vit.", "net.",
        "visual.trunk.", "student_embedding_model.wrapped_model._model.", "encoder.",
        "model.encoder.backbone."}) {
    tree_ = PthTree();
    EXPECT_TRUE(is_vit(load(write(dict_value({{"model", tree_.state_dict(vit, front)}}))), vit))
        << front;
    EXPECT_EQ(said(), "") << front;
  }
  test::Tensors inner;
  for (const formats::TensorView& view : vit.views) {
    std::string name = view.name;
    for (const char* block : {"blocks.0.", "blocks.1."}) {
      if (name.starts_with(block)) {
        name.insert(9, "_fsdp_wrapped_module._checkpoint_wrapped_module.");
      }
    }
    inner.views.push_back(view);
    inner.views.back().name = name;
  }
  tree_ = PthTree();
  EXPECT_TRUE(is_vit(load(write(dict_value({{"model", tree_.state_dict(inner)}}))), vit));
}

// torch.optim.swa_utils.AveragedModel stores its count as the scalar n_averaged.
TEST_F(WeightSets, AScalarBesideTheWeightsIsLeftOutWithALine) {
  const test::Tensors vit = small_vit();
  test::Tensors counted;
  counted.add("n_averaged", {});
  for (const formats::TensorView& view : vit.views) {
    counted.views.push_back(view);
    counted.views.back().name = "module." + view.name;
  }
  EXPECT_TRUE(is_vit(load(write(tree_.state_dict(counted))), vit));
  EXPECT_NE(said().find("n_averaged (1)"), std::string::npos) << said();
}

TEST_F(WeightSets, RawWeightsComeBeforeAveragesAndTheOthersAreNamed) {
  const test::Tensors vit = small_vit(), average = other_vit();
  const std::string file = write(dict_value(
      {{"state_dict_ema", tree_.state_dict(average)}, {"state_dict", tree_.state_dict(vit)}}));
  EXPECT_TRUE(is_vit(load(file), vit));
  for (const char* part : {"\"state_dict\"", "\"state_dict_ema\" (30 tensors)", "--checkpoint",
                           "file.pth::state_dict_ema"}) {
    EXPECT_NE(said().find(part), std::string::npos) << said();
  }
  const checkpoint::Checkpoint chosen = load(file + "::state_dict_ema");
  EXPECT_TRUE(is_vit(chosen, average));
  EXPECT_EQ(said(), "");
  EXPECT_TRUE(is_vit(load(chosen.path.string()), average))
      << "the path of the chosen dict must load again";
  const std::string error = error_of([&] { load(file + "::student"); });
  EXPECT_NE(error.find("there are: state_dict, state_dict_ema"), std::string::npos) << error;
}

TEST_F(WeightSets, OfDinoTheTeacherIsTaken) {
  const test::Tensors student = small_vit(), teacher = other_vit();
  test::Tensors head;
  head.add("head.mlp.0.weight", {4, 8});
  Value teacher_dict = tree_.state_dict(teacher, "backbone.");
  Value head_dict = tree_.state_dict(head);
  for (auto& item : std::get<Value::Dict>(head_dict.data).items) {
    std::get<Value::Dict>(teacher_dict.data).items.push_back(std::move(item));
  }
  const std::string file = write(dict_value(
      {{"student", tree_.state_dict(student, "module.backbone.")}, {"teacher", teacher_dict}}));
  EXPECT_TRUE(is_vit(load(file), teacher));
  EXPECT_NE(said().find("leaves out tensors beside the network: head (1)"), std::string::npos)
      << said();
  EXPECT_TRUE(is_vit(load(file + "::student"), student));
}

TEST_F(WeightSets, MomentumCopiesAndHeadsAreLeftOutWithOneLine) {
  const test::Tensors vit = small_vit(), copy = other_vit();
  test::Tensors flat;
  for (const formats::TensorView& view : copy.views) {
    flat.views.push_back(view);
    flat.views.back().name.insert(0, "momentum_backbone.");
  }
  for (const formats::TensorView& view : vit.views) {
    flat.views.push_back(view);
    flat.views.back().name.insert(0, "backbone.");
  }
  test::Tensors heads;
  for (const char* name : {"classifier.weight", "projector.0.weight", "projector.2.weight"}) {
    heads.add(name, {2, 2});
  }
  flat.views.insert(flat.views.end(), heads.views.begin(), heads.views.end());
  const std::string file = write(dict_value({{"state_dict", tree_.state_dict(flat)}}));
  EXPECT_TRUE(is_vit(load(file), vit));
  EXPECT_NE(said().find("leaves out tensors beside the network: classifier (1), projector (2)"),
            std::string::npos)
      << said();
  EXPECT_NE(said().find("\"state_dict.momentum_backbone\" (30 tensors)"), std::string::npos);
  EXPECT_TRUE(is_vit(load(file + "::momentum_backbone"), copy));
}

TEST_F(WeightSets, CopiesUnderAPrefixOrWithoutDotsAreNamedAndCanBeChosen) {
  struct Copies {
    const char *front, *copy, *dot, *chosen;
    bool whole_name;  // the copy's name contains `front` too
  };
  for (const auto& [front, copy, dot, chosen, whole_name] :
       {Copies{"", "ema_", ".", "ema", true},
        Copies{"", "ema_backbone_", ".", "ema_backbone", true},
        Copies{"backbone.", "module.ema_", ".", "module.ema", false},
        Copies{"", "student_", ".", "student", true},
        Copies{"backbone.", "ema_", "_", "ema", true},           // mmcv's EMAHook
        Copies{"model.", "model_ema.", "", "model_ema", false},  // LitEma
        Copies{"net.", "ema_backbone_", "_", "ema_backbone", false},
        Copies{"model.", "backbone.", ".", "backbone", false}}) {
    tree_ = PthTree();
    const test::Tensors vit = small_vit(), average = other_vit();
    test::Tensors both;
    for (const formats::TensorView& view : vit.views) {
      both.views.push_back(view);
      both.views.back().name.insert(0, front);
    }
    for (const formats::TensorView& view : average.views) {
      std::string name = (whole_name ? front : "") + view.name;
      for (size_t at = 0; (at = name.find('.', at)) != std::string::npos;) {
        name.replace(at, 1, dot);
        at += std::strlen(dot);
      }
      both.views.push_back(view);
      both.views.back().name = copy + name;
    }
    const std::string file = write(dict_value({{"state_dict", tree_.state_dict(both)}}));
    EXPECT_TRUE(is_vit(load(file), vit)) << copy;
    EXPECT_NE(said().find(fmt::format("state_dict.{}", chosen)), std::string::npos) << said();
    EXPECT_NE(said().find("(30 tensors): choose with --checkpoint"), std::string::npos) << said();
    const bool of_mmcv = std::string(dot) == "_" && std::string(copy) == "ema_";
    EXPECT_EQ(said().find("EMAHook") != std::string::npos, of_mmcv) << said();
    EXPECT_TRUE(is_vit(load(file + "::" + chosen), average)) << copy << ": " << said();
  }
}

TEST_F(WeightSets, ACopyAloneIsReadUnderItsPrefixAndNamedWithoutDots) {
  const test::Tensors vit = small_vit();
  EXPECT_TRUE(is_vit(load(write(tree_.state_dict(vit, "ema_backbone_"))), vit));
  test::Tensors flat;
  flat.add("ema_patch_embed_proj_weight", {8, 3, 4, 4});
  EXPECT_NE(why_unknown(flat.views, "x").find("names without dots"), std::string::npos);
}

// An unknown tensor of the network is never omitted here: loading it into a model fails instead.
TEST_F(WeightSets, WhatBelongsToTheNetworkStays) {
  test::Tensors vit = small_vit();
  for (const char* name : {"blocks.0.ls1.gamma", "norm_pre.weight", "unknown.weight"}) {
    vit.add(name, {8});
  }
  const checkpoint::Checkpoint loaded = load(write(dict_value({{"model", tree_.state_dict(vit)}})));
  EXPECT_EQ(loaded.model.tensors.size(), kSmallVitTensors + 3);
  EXPECT_EQ(said(), "");
}

TEST_F(WeightSets, OptimizersAreNoWeights) {
  const test::Tensors vit = small_vit(), other = other_vit();
  const Value moments = dict_value({{"state", dict_value({{"0", tree_.state_dict(other)}})},
                                    {"param_groups", Value{Value::List{}}}});
  const Value root = dict_value({{"optimizer", moments}, {"model", tree_.state_dict(vit)}});
  const checkpoint::Checkpoint loaded = load(write(root));
  EXPECT_TRUE(is_vit(loaded, vit));
  EXPECT_EQ(said(), "");
}

TEST_F(WeightSets, OfOtherNetworksTheFirstNamesAreSaid) {
  test::Tensors other;
  for (const char* name : {"conv1.weight", "bn1.weight", "layer1.0.conv1.weight"}) {
    other.add(name, {2, 2, 1, 1});
  }
  test::Tensors one;
  one.add("loss", {});
  const checkpoint::Checkpoint loaded = load(
      write(dict_value({{"loss", tree_.tensor(one.views[0])}, {"net", tree_.state_dict(other)}})));
  EXPECT_EQ(loaded.model.tensors.size(), 3U)
      << "the largest dict is loaded, so that it can be shown";
  EXPECT_FALSE(recognise(loaded.model.tensors));
  const std::string why = why_unknown(loaded.model.tensors, "file.pth");
  for (const char* part : {"file.pth", "3 tensors", "conv1.weight, bn1.weight",
                           "patch_embed.proj.weight", "Hugging Face"}) {
    EXPECT_NE(why.find(part), std::string::npos) << why;
  }
  test::Tensors moments;
  moments.add("state.0.exp_avg", {2});
  EXPECT_NE(why_unknown(moments.views, "x").find("the state of an optimizer and no weights"),
            std::string::npos);
  test::Tensors features;
  features.add("features", {4, 8});
  features.add("labels", {4});
  EXPECT_NE(why_unknown(features.views, "x").find("holds features of images"), std::string::npos);
  EXPECT_NE(why_unknown({}, "x").find("no tensors"), std::string::npos);
}

TEST_F(WeightSets, AModuleThatWasSavedWholeIsItsStateDict) {
  const auto entry = [](const std::string& key, Value value) {
    return Value::Item(test::text_value(key), std::move(value));
  };
  // torch.save(model) stores a module: here net._modules.blocks._parameters.weight.
  formats::PthFile file;
  test::Tensors tensors;
  tensors.add("w", {2});
  file.tensors = tensors.views;
  Value::Opaque inner{"torch.nn.modules.linear.Linear", {}};
  inner.members.items.push_back(
      entry("_parameters", dict_value({{"weight", Value{Value::Tensor{0, true}}}})));
  Value::Opaque outer{"__main__.Net", {}};
  outer.members.items.push_back(entry("_parameters", dict_value({})));
  outer.members.items.push_back(entry("_modules", dict_value({{"proj", Value{inner}}})));
  file.root = dict_value({{"model", Value{outer}}});
  const std::vector<NamedTensors> dicts = state_dicts(file);
  ASSERT_EQ(dicts.size(), 1U);
  EXPECT_EQ(dicts[0].key, "model");
  EXPECT_EQ(dicts[0].tensors.at(0).name, "proj.weight");
}

TEST_F(WeightSets, TheMovingAverageOfARunIsTakenByItsName) {
  const test::Tensors vit = small_vit(), average = other_vit();
  std::vector<formats::TensorView> optimizer = average.views;
  for (formats::TensorView& view : optimizer) view.name.insert(0, checkpoint::kEmaPrefix);
  checkpoint::save(folder_ / "run" / "checkpoints", 3, vit.views, optimizer, json::object(), {});
  const std::string run = (folder_ / "run").string();
  EXPECT_TRUE(is_vit(load(run), vit));
  EXPECT_TRUE(is_vit(load(run + "::ema"), average));
  EXPECT_TRUE(is_vit(load(run + "/checkpoints/step-3::ema"), average));
  EXPECT_NE(error_of([&] { load(run + "::teacher"); }).find("no weights called teacher"),
            std::string::npos);
  EXPECT_NE(error_of([&] { load(run + "x::ema"); }).find("does not exist"), std::string::npos);
}

struct Foreign {
  const char* name;
  std::vector<int64_t> shape;
  const char* said;
};

TEST(ForeignParts, AreNamed) {
  for (const Foreign& foreign :
       std::vector<Foreign>{{"register_tokens", {1, 4, 8}, "register tokens"},
                            {"reg_token", {1, 4, 8}, "register tokens"},
                            {"dist_token", {1, 1, 8}, "distillation token"},
                            {"norm_pre.weight", {8}, "norm in front"},
                            {"blocks.0.ls1.gamma", {8}, "layer scale"},
                            {"blocks.0.gamma_1", {8}, "layer scale"},
                            {"blocks.0.attn.q_norm.weight", {4}, "normalises queries"},
                            {"blocks.0.attn.q_bias", {8}, "q_bias"},
                            {"blocks.0.mlp.w12.weight", {8, 8}, "gated"},
                            {"unknown", {8}, ""}}) {
    test::Tensors vit = small_vit();
    vit.add(foreign.name, foreign.shape);
    const auto found = recognise(vit.views);
    ASSERT_TRUE(found);
    if (*foreign.said == '\0') {
      EXPECT_EQ(found->foreign, "");
    } else {
      EXPECT_NE(found->foreign.find(foreign.said), std::string::npos) << found->foreign;
    }
  }
  EXPECT_NE(recognise(small_vit("", 4).views)->foreign.find("none for the class token"),
            std::string::npos);
  EXPECT_NE(recognise(small_vit("", 6).views)->foreign.find("two tokens in front"),
            std::string::npos);
  test::Tensors without = small_vit();
  std::erase_if(without.views, [](const auto& one) { return one.name == "cls_token"; });
  EXPECT_NE(recognise(without.views)->foreign.find("no class token"), std::string::npos);
  struct Images {
    std::vector<int64_t> shape;
    const char* said;
  };
  for (const auto& [shape, said] : std::vector<Images>{
           {{8, 4, 4, 4}, "reads images of 4 channels"},
           {{8, 2, 4, 4}, "reads images of 2 channels"},
           {{8, 3, 16, 8}, "patches have 16 rows and 8 columns (patch_embed.proj.weight is 8 x 3"},
           {{8, 1, 4, 4}, ""}}) {
    test::Tensors vit = small_vit();
    test::Tensors embedding;
    embedding.add("patch_embed.proj.weight", shape);
    vit.views[2] = embedding.views[0];
    const std::string foreign = recognise(vit.views)->foreign;
    EXPECT_EQ(foreign.empty(), *said == '\0') << foreign;
    EXPECT_NE(foreign.find(said), std::string::npos) << foreign;
  }
  for (const auto& [shape, said] :
       std::vector<Images>{{{8, 3, 2, 4, 4}, "a network for video or volumes"},
                           {{8, 48}, "whose patch embedding is no convolution"}}) {
    test::Tensors vit = small_vit();
    vit.views[2].shape = shape;
    EXPECT_FALSE(recognise(vit.views));
    EXPECT_NE(why_unknown(vit.views, "x").find(said), std::string::npos);
  }
  // A Swin has a patch embedding too, but is not a ViT.
  test::Tensors swin;
  swin.add("patch_embed.proj.weight", {8, 3, 4, 4});
  swin.add("layers.0.blocks.0.attn.qkv.weight", {24, 8});
  EXPECT_FALSE(recognise(swin.views));
}

}  // namespace
}  // namespace fcm::interop
