// Segmenter files of mmsegmentation, read and written back.
#include "fcm/interop/mmseg.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "fcm/base/relative_table.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/published.h"
#include "fcm/interop/segmenter_names.h"
#include "tests/formats/support.h"
#include "tests/interop/stored_tensors.h"
#include "tests/interop/vit_tensors.h"

namespace fcm::interop {
namespace {

using formats::TensorView;
using formats::Value;
using nlohmann::json;
using test::Tensors;
namespace fs = std::filesystem;

const fs::path kSegmentation = fs::path(FCM_SOURCE_DIR) / "../shared/goldens/segmentation";

json segmentation_manifest(const char* file) {
  std::ifstream stream(kSegmentation / "manifest.json");
  return json::parse(stream).at("files").at(file);
}

template <typename T>
T single_number(const TensorView& tensor) {
  T value{};
  EXPECT_EQ(tensor.bytes.size(), sizeof value) << tensor.name;
  std::memcpy(&value, tensor.bytes.data(), std::min(sizeof value, tensor.bytes.size()));
  return value;
}

// The tensors of a dict in a file, in file order.
std::vector<TensorView> state_dict_of(const formats::PthFile& file, const char* key) {
  std::vector<TensorView> tensors;
  for (const auto& [name, value] : std::get<Value::Dict>(file.root.find(key)->data).items) {
    tensors.push_back(file.tensors.at(std::get<Value::Tensor>(value.data).index));
    tensors.back().name = std::get<std::string>(name.data);
  }
  return tensors;
}

bool same_lists(const std::vector<TensorView>& one, const std::vector<TensorView>& other) {
  formats::TensorFile file;
  file.tensors = one;
  return formats::same_tensors(file, other);
}

bool is_named_index(const TensorView& tensor) {
  return tensor.name.ends_with("relative_position_index");
}

class MmsegGolden : public test::TemporaryFolderTest {
 protected:
  void SetUp() override {
    if (!fs::exists(kSegmentation)) GTEST_SKIP() << "no ../shared/goldens beside the checkout";
    published_ = formats::read_pth(kFile);
    state_dict_ = state_dict_of(published_, "state_dict");
    loaded_ = load_any(kFile, true, reporter_);
  }
  // Writes a file that holds only the stored state_dict, with `front` before its names, under `key`
  // or at the top.
  fs::path write_bare(const std::string& front, const char* key) {
    Value::Dict dict;
    for (size_t i = 0; i < state_dict_.size(); ++i) {
      dict.items.push_back(
          {test::text_value(front + state_dict_[i].name), Value{Value::Tensor{i, false}}});
    }
    Value root{std::move(dict)};
    if (*key != '\0') root = test::dict_value({{key, std::move(root)}});
    formats::write_pth(folder_ / "bare.pth", root, state_dict_);
    return folder_ / "bare.pth";
  }
  MmsegFile content(const checkpoint::Checkpoint& from) const {
    MmsegFile file;
    file.model = from.model.tensors;
    file.rows = file.cols = 4;
    file.iterations = from.step;
    file.meta = from.state.value(kMetaKey, json());
    return file;
  }

  const fs::path kFile = kSegmentation / "checkpoint_mmseg.pth";
  test::RecordingReporter reporter_;
  formats::PthFile published_;
  std::vector<TensorView> state_dict_;
  checkpoint::Checkpoint loaded_;
};

TEST_F(MmsegGolden, EveryTensorIsFound) {
  const formats::TensorFile golden =
      formats::read_safetensors(kSegmentation / "checkpoint_mmseg.expected.safetensors");
  const auto indices = std::count_if(state_dict_.begin(), state_dict_.end(), is_named_index);
  EXPECT_EQ(indices, 2);
  ASSERT_EQ(std::ssize(loaded_.model.tensors), std::ssize(state_dict_) - indices);
  int64_t counts = 0;
  for (const TensorView& tensor : loaded_.model.tensors) {
    const std::string stored = "state_dict." + tensor.name;
    if (!tensor.name.ends_with(kBatchesSeen)) {
      EXPECT_TRUE(is_stored(tensor, stored, golden)) << tensor.name;
      continue;
    }
    ++counts;
    EXPECT_EQ(tensor.dtype, "F32");
    EXPECT_EQ(single_number<float>(tensor),
              static_cast<float>(single_number<int64_t>(*golden.find(stored))));
  }
  EXPECT_EQ(counts, 14);
  // Negative control: values of another tensor are not accepted.
  EXPECT_FALSE(is_stored(loaded_.model.tensors[0], "state_dict.decode_head.conv_seg.bias", golden));
}

TEST_F(MmsegGolden, WhatItSaysOfItselfIsKept) {
  const json meta = segmentation_manifest("checkpoint_mmseg.expected.safetensors").at("meta");
  EXPECT_EQ(loaded_.state.at(kMetaKey), meta);
  EXPECT_EQ(loaded_.state.at("trained_on").at("classes"), meta.at("CLASSES"));
  EXPECT_EQ(loaded_.step, 16000);
  EXPECT_EQ(loaded_.format, "pth");
  EXPECT_FALSE(loaded_.state.contains("recipe"))
      << "the file has no recipe, and none may be invented";
}

TEST_F(MmsegGolden, TheOptimizerIsLeftOutWithItsReason) {
  EXPECT_TRUE(loaded_.optimizer.tensors.empty());
  EXPECT_FALSE(loaded_.state.contains("optimizer_steps"));
  EXPECT_NE(loaded_.state.at("optimizer_left_out")
                .get<std::string>()
                .find("a segmenter can only be resumed"),
            std::string::npos);
}

TEST_F(MmsegGolden, BareAndWrappedStateDictsAreTheSameWeights) {
  for (const auto& [front, key] : std::vector<std::pair<const char*, const char*>>{
           {"", ""}, {"module.", ""}, {"module.", "state_dict"}, {"_orig_mod.module.", "model"}}) {
    const checkpoint::Checkpoint bare = load_any(write_bare(front, key), true, reporter_);
    EXPECT_TRUE(same_lists(bare.model.tensors, loaded_.model.tensors)) << front << " " << key;
  }
  formats::write_safetensors(folder_ / "bare.safetensors", state_dict_, {});
  checkpoint::Checkpoint flat = load_any(folder_ / "bare.safetensors", true, reporter_);
  sort_as_published(flat.model.tensors);
  EXPECT_TRUE(same_lists(flat.model.tensors, loaded_.model.tensors));
}

TEST_F(MmsegGolden, NamesThatComeToOneAreRefused) {
  state_dict_.push_back(state_dict_.front());
  state_dict_.back().name.insert(0, "module.");
  const std::string why = formats::error_of([&] { load_any(write_bare("", ""), true, reporter_); });
  EXPECT_NE(why.find("both are backbone.pos_embed"), std::string::npos) << why;
}

TEST_F(MmsegGolden, AveragesOfAHookAreLeftOutAndCounted) {
  state_dict_.push_back(state_dict_.front());
  state_dict_.back().name = "ema_backbone_pos_embed";
  const checkpoint::Checkpoint bare = load_any(write_bare("", "state_dict"), true, reporter_);
  EXPECT_TRUE(same_lists(bare.model.tensors, loaded_.model.tensors));
  EXPECT_NE(reporter_.infos.back().find("ema_backbone_pos_embed (1)"), std::string::npos);
}

// The written file has the names, order, shapes, dtypes and bits of all tensors, buffers included,
// and the metadata of the stored file.
TEST_F(MmsegGolden, WhatIsWrittenIsWhatWasPublished) {
  const fs::path back = folder_ / "back.pth";
  write_mmseg(back, content(loaded_));
  const formats::PthFile written = formats::read_pth(back);
  EXPECT_TRUE(same_lists(state_dict_of(written, "state_dict"), state_dict_));
  EXPECT_TRUE(std::get<Value::Dict>(written.root.find("state_dict")->data).ordered);
  const Value* classes = written.root.find("meta")->find("CLASSES");
  EXPECT_TRUE(std::holds_alternative<Value::Tuple>(classes->data));
  const checkpoint::Checkpoint again = load_any(back, true, reporter_);
  EXPECT_TRUE(same_lists(again.model.tensors, loaded_.model.tensors));
  EXPECT_EQ(again.state.at(kMetaKey), loaded_.state.at(kMetaKey));
  EXPECT_EQ(again.step, loaded_.step);
  EXPECT_EQ(written.root.find("optimizer"), nullptr);
}

TEST_F(MmsegGolden, AnotherGridOrAHalfCountIsRefused) {
  MmsegFile file = content(loaded_);
  file.cols = 5;
  std::string why = formats::error_of([&] { write_mmseg(folder_ / "no.pth", file); });
  EXPECT_NE(why.find("not those of a grid of 4 x 5 patches"), std::string::npos) << why;
  const float half = 0.5F;
  auto& tensors = loaded_.model.tensors;
  const auto count = std::find_if(tensors.begin(), tensors.end(), [](const TensorView& tensor) {
    return tensor.name.ends_with(kBatchesSeen);
  });
  count->bytes = std::as_bytes(std::span(&half, 1));
  why = formats::error_of([&] { write_mmseg(folder_ / "no.pth", content(loaded_)); });
  EXPECT_NE(why.find("0.5, which is not a count"), std::string::npos) << why;
  EXPECT_FALSE(fs::exists(folder_ / "no.pth"));
}

// --- without stored files ---

// Some tensors of a segmenter on a ViT with 1 x 2 patches, under mmsegmentation's names and in its
// order.
Tensors small_vit_segmenter() {
  Tensors tensors;
  tensors.add("backbone.cls_token", {1, 1, 4});
  tensors.add("backbone.pos_embed", {1, 3, 4});
  tensors.add("backbone.patch_embed.projection.weight", {4, 3, 2, 2});
  tensors.add("backbone.layers.0.gamma_1", {4});
  tensors.add("backbone.layers.0.ln1.weight", {4});
  tensors.add("backbone.layers.0.attn.relative_position_bias_table", {6, 2});
  tensors.add("backbone.layers.0.attn.qkv.weight", {12, 4});
  tensors.add("backbone.layers.0.ln2.bias", {4});
  tensors.add("backbone.layers.0.ffn.layers.0.0.weight", {8, 4});
  tensors.add("backbone.layers.0.ffn.layers.1.bias", {4});
  tensors.add("neck.upsample_4x.0.weight", {4, 4, 2, 2});
  tensors.add("neck.upsample_2x.0.bias", {4});
  tensors.add("decode_head.conv_seg.weight", {2, 4, 1, 1});
  tensors.add("decode_head.fpn_bottleneck.conv.weight", {4, 16, 3, 3});
  return tensors;
}

std::vector<std::string> names_of_views(const std::vector<TensorView>& tensors) {
  std::vector<std::string> names;
  for (const TensorView& tensor : tensors) names.push_back(tensor.name);
  return names;
}

TEST(MmsegNames, OfAVitAreThisProgramsAndBack) {
  const Tensors theirs = small_vit_segmenter();
  std::vector<TensorView> ours = theirs.views;
  from_mmseg(ours, "x");
  const std::vector<std::string> names = names_of_views(ours);
  EXPECT_EQ(
      std::vector<std::string>(names.begin() + 2, names.begin() + 10),
      (std::vector<std::string>{
          "backbone.patch_embed.proj.weight", "backbone.blocks.0.gamma_1",
          "backbone.blocks.0.norm1.weight", "backbone.blocks.0.attn.relative_position_bias_table",
          "backbone.blocks.0.attn.qkv.weight", "backbone.blocks.0.norm2.bias",
          "backbone.blocks.0.mlp.fc1.weight", "backbone.blocks.0.mlp.fc2.bias"}));
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_EQ(mmseg_name(ours[i].name), theirs.views[i].name);
  }
  // Converting again changes nothing, and names of a ConvViT never change.
  std::vector<TensorView> again = ours;
  from_mmseg(again, "x");
  EXPECT_EQ(names_of_views(again), names);
  EXPECT_EQ(mmseg_name("backbone.blocks3.0.norm1.weight"), "backbone.blocks3.0.norm1.weight");
  EXPECT_EQ(mmseg_name("backbone.patch_embed1.proj.weight"), "backbone.patch_embed1.proj.weight");
}

MmsegFile made_content(const std::vector<TensorView>& model) {
  MmsegFile file;
  file.model = model;
  file.rows = 1;
  file.cols = 2;
  file.classes = {"sky", "sea"};
  file.palette = {{1, 2, 3}, {200, 100, 0}};
  file.iterations = 40;
  file.epoch = 3;
  file.name = "a recipe";
  file.recipe = "[row]\nname = \"a recipe\"\n";
  return file;
}

class MmsegWritten : public test::TemporaryFolderTest {};

TEST_F(MmsegWritten, IndexOfAVitCountsItsClassTokenLast) {
  const Tensors theirs = small_vit_segmenter();
  std::vector<TensorView> ours = theirs.views;
  from_mmseg(ours, "x");
  std::reverse(ours.begin(), ours.end());  // the order does not matter
  write_mmseg(folder_ / "vit.pth", made_content(ours));
  const formats::PthFile file = formats::read_pth(folder_ / "vit.pth");
  const std::vector<TensorView> written = state_dict_of(file, "state_dict");
  std::vector<std::string> names = names_of_views(theirs.views);
  names.insert(names.begin() + 6, "backbone.layers.0.attn.relative_position_index");
  EXPECT_EQ(names_of_views(written), names);
  // Tokens: class, left, right; rows are queries. Index of a pair of patches: 0 if the key is right
  // of the query, 1 if it is the query itself, 2 if it is left. 3 to 5: pairs with the class token.
  const std::vector<int64_t> wanted = {5, 3, 3, 4, 1, 0, 4, 2, 1};
  EXPECT_EQ(written[6].dtype, "I64");
  EXPECT_EQ(written[6].shape, (std::vector<int64_t>{3, 3}));
  ASSERT_EQ(written[6].bytes.size(), wanted.size() * sizeof(int64_t));
  EXPECT_EQ(std::memcmp(written[6].bytes.data(), wanted.data(), written[6].bytes.size()), 0);
}

TEST_F(MmsegWritten, SaysWhatItIs) {
  const Tensors theirs = small_vit_segmenter();
  std::vector<TensorView> ours = theirs.views;
  from_mmseg(ours, "x");
  write_mmseg(folder_ / "vit.pth", made_content(ours));
  SilentReporter silence;
  const checkpoint::Checkpoint read = load_any(folder_ / "vit.pth", true, silence);
  const json& meta = read.state.at(kMetaKey);
  EXPECT_EQ(meta.at("CLASSES"), json({"sky", "sea"}));
  EXPECT_EQ(meta.at("PALETTE"), json({{1, 2, 3}, {200, 100, 0}}));
  EXPECT_EQ(meta.at("iter"), 40);
  EXPECT_EQ(meta.at("epoch"), 3);
  EXPECT_EQ(meta.at("config"),
            "# Written by fastconvmae. Recipe: a recipe\n# [row]\n# name = \"a recipe\"\n");
  EXPECT_EQ(read.state.at("recipe"), "[row]\nname = \"a recipe\"\n");
  EXPECT_EQ(meta.at("time").get<std::string>().size(), 24u);
  EXPECT_EQ(read.step, 40);
}

Value colour(int64_t red, int64_t green, int64_t blue) {
  return Value{Value::List{Value{red}, Value{green}, Value{blue}}};
}

Value meta_with(std::vector<std::pair<std::string, Value>> entries) {
  return test::dict_value({{"meta", test::dict_value(std::move(entries))}});
}

TEST(MmsegMeta, OfAnyContentIsTakenOrLeft) {
  checkpoint::Checkpoint checkpoint;
  read_meta(test::dict_value({}), checkpoint);
  read_meta(test::dict_value({{"meta", test::text_value("x")}}), checkpoint);
  EXPECT_TRUE(checkpoint.state.empty());
  read_meta(meta_with({{"iter", Value{int64_t{-4}}},
                       {"CLASSES", Value{Value::Tuple{{test::text_value("bed "), Value{1.5},
                                                       test::text_value("windowpane")}}}},
                       {"PALETTE", Value{Value::List{{colour(1, 2, 255)}, {colour(0, 4, 5)}}}}}),
            checkpoint);
  EXPECT_EQ(checkpoint.step, 0);
  EXPECT_EQ(checkpoint.state.at("trained_on").at("colours"), json({{1, 2, 255}, {0, 4, 5}}));
  EXPECT_EQ(checkpoint.state.at("trained_on").at("classes"), json({"bed", "windowpane"}));
  EXPECT_EQ(checkpoint.state.at(kMetaKey).at("CLASSES")[0], "bed ");
  checkpoint::Checkpoint bright;  // its colour 256 is not a byte
  read_meta(meta_with({{"CLASSES", Value{Value::Tuple{{test::text_value("bed")}}}},
                       {"PALETTE", Value{Value::List{{colour(1, 2, 256)}}}}}),
            bright);
  EXPECT_FALSE(bright.state.at("trained_on").contains("colours"));
  checkpoint::Checkpoint other;
  other.state["trained_on"] = {{"classes", {"its own"}}};
  read_meta(meta_with({{"CLASSES", test::text_value("no list")}, {"iter", test::text_value("x")}}),
            other);
  EXPECT_EQ(other.state.at("trained_on").at("classes"), json({"its own"}));
  EXPECT_EQ(other.step, 0);
}

}  // namespace
}  // namespace fcm::interop
