// Folders of weights as other programs and the Hugging Face hub leave them, and files without
// weights.
#include "fcm/interop/model_folder.h"

#include <fstream>

#include "fcm/formats/safetensors.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/transformers.h"
#include "tests/formats/pth_support.h"
#include "tests/interop/vit_tensors.h"

namespace fcm::interop {
namespace {

namespace fs = std::filesystem;
using formats::error_of;

constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 343000000\n";

class ModelFolder : public formats::TemporaryFolderTest {
 protected:
  static void put(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  static void put_config(const fs::path& folder) {
    put(folder / "config.json",
        R"({"model_type": "vit", "hidden_size": 8, "num_attention_heads": 4})");
  }
  static void put_safetensors(const fs::path& file) {
    fs::create_directories(file.parent_path());
    formats::write_safetensors(file, test::small_vit().views, {});
  }
  static void put_bin(const fs::path& file) {
    test::PthTree tree;
    const test::Tensors vit = test::small_vit();
    const formats::Value root = tree.state_dict(vit);
    formats::write_pth(file, root, tree.tensors());
  }
  checkpoint::Checkpoint load(const fs::path& path) {
    reporter_ = {};
    return load_any(path, false, reporter_);
  }
  std::string said() const {
    std::string all;
    for (const std::string& line : reporter_.infos) all += line + "\n";
    for (const std::string& line : reporter_.warnings) all += line + "\n";
    return all;
  }
  static void expect(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), text.npos) << text;
  }

  formats::RecordingReporter reporter_;
};

TEST_F(ModelFolder, WhatIsNoWeightsIsPassedOverForWhatIs) {
  put_config(folder_);
  put_bin(folder_ / "pytorch_model.bin");
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {kPointer, "model.safetensors is a Git LFS pointer"},
           {"", "model.safetensors is an empty file"},
           {"<!DOCTYPE html><html></html>", "model.safetensors is a web page"}}) {
    put(folder_ / "model.safetensors", text);
    EXPECT_EQ(load(folder_).model.tensors.size(), test::kSmallVitTensors);
    expect(said(), what);
    expect(said(), "; using pytorch_model.bin");
    EXPECT_EQ(verify_any(folder_).size(), 1U);
  }
  fs::remove(folder_ / "model.safetensors");
  fs::create_symlink("../blobs/gone", folder_ / "model.safetensors");
  EXPECT_EQ(load(folder_).model.tensors.size(), test::kSmallVitTensors);
  expect(said(),
         "model.safetensors is a link to ../blobs/gone, where there is nothing; using pytorch");
  // If no other file has weights, the unusable file is an error.
  fs::remove(folder_ / "pytorch_model.bin");
  expect(error_of([&] { load(folder_); }), "is a link to ../blobs/gone, where there is nothing");
  expect(error_of([&] { load(folder_ / "model.safetensors"); }), "where there is nothing");
  fs::remove(folder_ / "model.safetensors");
  put(folder_ / "model.safetensors", kPointer);
  expect(error_of([&] { load(folder_); }), "Git LFS");
  // Unusable files under other names are passed over too.
  fs::rename(folder_ / "model.safetensors", folder_ / "a.safetensors");
  put_bin(folder_ / "b.pth");
  EXPECT_EQ(load(folder_).model.tensors.size(), test::kSmallVitTensors);
  expect(said(), "a.safetensors is ");
  // Good weights are used without a message, whatever other files exist.
  put_safetensors(folder_ / "model.safetensors");
  put(folder_ / "pytorch_model.bin", kPointer);
  load(folder_);
  EXPECT_EQ(said(), "");
}

// A path that is no checkpoint is refused with what it is, and with its run if it is part of one.
TEST_F(ModelFolder, WhatIsNoCheckpointIsNamed) {
  const auto refused = [&](const fs::path& path) { return error_of([&] { load(path); }); };
  put(folder_ / "my.toml", "# mine\n[row]\nname = \"x\"\n");
  expect(refused(folder_ / "my.toml"), "is not a checkpoint but a recipe, which --recipe takes");
  expect(refused(folder_ / "my.toml"), "expected a step-N folder, a run folder");
  put(folder_ / "x.bytes", "\x01\x02\xff");
  expect(refused(folder_ / "x.bytes"), "a file that begins with the bytes 0x01 0x02 0xff");
  const fs::path run = folder_ / "run";
  put(run / "recipe.toml", "[row]\n");
  put(run / "events" / "events.out", "\x18\x01");
  put(run / "checkpoints" / "latest", "step-3\n");
  put(run / "checkpoints" / "step-3" / "manifest.json",
      "{\n \"format\": \"fastconvmae checkpoint\"");
  const std::string of_run = "; it is part of the run " + run.string() + ": name that";
  for (const fs::path& part : {run / "recipe.toml", run / "events" / "events.out", run / "events",
                               run / "checkpoints" / "latest"}) {
    expect(refused(part), of_run);
  }
  expect(refused(run / "checkpoints" / "step-3" / "manifest.json"),
         "it is part of the checkpoint " + (run / "checkpoints" / "step-3").string());
  expect(refused(run / "checkpoints" / "step-4"), "does not exist; ");
  expect(refused(run / "checkpoints" / "step-4"), "checkpoints holds latest, step-3");
  expect(refused(folder_ / "gone" / "a.pth"), "does not exist, nor does");
  expect(refused(folder_ / "my.toml" / "a.pth"), "my.toml is a file");
  fs::create_directories(folder_ / "set" / "train" / "a");
  expect(refused(folder_ / "set"), "it holds train, so it may be a data set, for --data");
  fs::create_directories(folder_ / "nothing");
  expect(refused(folder_ / "nothing"), "it holds nothing");
}

TEST_F(ModelFolder, AConfigurationThatIsNoFileIsNamed) {
  put_safetensors(folder_ / "model.safetensors");
  fs::create_symlink("gone.json", folder_ / "config.json");
  expect(error_of([&] { load(folder_); }), "config.json is a link to gone.json, where there is");
  fs::remove(folder_ / "config.json");
  fs::create_directories(folder_ / "config.json");
  expect(error_of([&] { load(folder_); }),
         "config.json is not a JSON object: it is not an ordinary file");
  fs::remove(folder_ / "config.json");
  put_config(folder_);
  fs::create_directories(folder_ / "preprocessor_config.json");
  expect(error_of([&] { load(folder_); }), "preprocessor_config.json is not a JSON object");
}

TEST_F(ModelFolder, AnIndexOfPointersIsPassedOverToo) {
  put_config(folder_);
  put_bin(folder_ / "pytorch_model.bin");
  put(folder_ / "model.safetensors.index.json",
      R"({"weight_map": {"cls_token": "model-00001-of-00001.safetensors"}})");
  load(folder_);
  expect(said(), "model.safetensors.index.json cannot be read (");
  put(folder_ / "model-00001-of-00001.safetensors", kPointer);
  load(folder_);
  expect(said(), "names model-00001-of-00001.safetensors, which is ");
}

class HubCache : public ModelFolder {
 protected:
  // A snapshot whose files are links into blobs/, as the hub creates them.
  fs::path snapshot(const std::string& revision) {
    const fs::path place = model() / "snapshots" / revision;
    fs::create_directories(place);
    put_safetensors(model() / "blobs" / "w");
    put_config(model() / "blobs");
    fs::create_symlink("../../blobs/w", place / "model.safetensors");
    fs::create_symlink("../../blobs/config.json", place / "config.json");
    return place;
  }
  fs::path model() const { return folder_ / "hub" / "models--facebook--vit-mae-base"; }
  void expect_taken(const fs::path& path, const std::string& revision) {
    SCOPED_TRACE(path);
    EXPECT_EQ(load(path).model.tensors.size(), test::kSmallVitTensors);
    EXPECT_TRUE(load(path).state.contains("facts"));
    if (!revision.empty()) expect(said(), "using " + (model() / "snapshots" / revision).string());
    EXPECT_EQ(verify_any(path).size(), 1U);
  }
};

TEST_F(HubCache, FoldersStandForTheirSnapshot) {
  const fs::path first = snapshot("aaa");
  expect_taken(first, "");
  expect_taken(first / "model.safetensors", "");
  expect_taken(model(), "aaa");
  expect_taken(model() / "snapshots", "aaa");
  snapshot("bbb");
  const std::string two = error_of([&] { load(model()); });
  expect(two, "with 2 snapshots: name one");
  expect(two, "aaa, bbb");
  put(model() / "refs" / "main", "bbb\n");
  expect_taken(model(), "bbb");
  put(model() / "refs" / "main", "../../elsewhere");
  expect(error_of([&] { load(model()); }), "name one");
  for (const fs::path& whole : {folder_ / "hub", folder_}) {
    expect(error_of([&] { load(whole); }),
           "cache of 1 models: name one of its folders: models--facebook--vit-mae-base");
  }
  fs::remove_all(model() / "snapshots");
  fs::create_directories(model() / "snapshots");
  expect(error_of([&] { load(model()); }), "without a snapshot");
}

TEST_F(ModelFolder, WeightsOfZeroAreSaid) {
  test::Tensors vit = test::small_vit();
  vit.values[2].assign(vit.values[2].size(), 0);  // patch_embed.proj.weight
  vit.values[3].assign(vit.values[3].size(), 0);  // a zero bias is permitted
  formats::write_safetensors(folder_ / "w.safetensors", vit.views, {});
  load(folder_ / "w.safetensors");
  ASSERT_EQ(reporter_.warnings.size(), 1U);
  expect(said(), "1 of its 14 weights are zero throughout, patch_embed.proj.weight the first");
  put_safetensors(folder_ / "w.safetensors");
  load(folder_ / "w.safetensors");
  EXPECT_TRUE(reporter_.warnings.empty());
}

// A .pth file with two tensors of a dtype that has no storage class of its own, as torch.save
// writes it.
std::string file_of_unread(const std::string& rebuild, const std::string& type) {
  const std::string one = formats::global("torch._utils", rebuild) + "(" +
                          formats::storage("UntypedStorage", "0", 4) + formats::integer(0) +
                          formats::integers({4}) + formats::integers({1}) + "\x89" +
                          formats::empty_hooks() + formats::global("torch", type) + "tR";
  return formats::pth_of("}(" + formats::text_op("blocks.0.w") + one +
                         formats::text_op("blocks.1.w") + one + "u");
}

TEST_F(ModelFolder, TensorsOfATypeThatIsNotReadAreCountedAndNamed) {
  const auto reason = [&](const std::string& rebuild, const std::string& type) {
    put(folder_ / "w.pth", file_of_unread(rebuild, type));
    return error_of([&] { load(folder_ / "w.pth"); });
  };
  expect(reason("_rebuild_tensor_v3", "float8_e4m3fn"),
         "2 tensors are of torch.float8_e4m3fn (blocks.0.w the first), which cannot be read");
  expect(reason("_rebuild_qtensor", "per_tensor_affine"),
         "2 tensors are of integers with scales (quantised)");
  expect(reason("_rebuild_sparse_tensor", "x"), "2 tensors are of torch._utils._rebuild_sparse_");
  expect(reason("_rebuild_tensor_v2", "x"), "2 tensors are of torch.UntypedStorage");
}

}  // namespace
}  // namespace fcm::interop
