// The parity program must not depend on which models are stored. So these tests write folders with
// other widths, depths, image sizes, batches and seeds; the reference computes their tensors in
// float64.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "fcm/formats/safetensors.h"
#include "fcm/train/state.h"
#include "tests/parity/cases.h"
#include "tests/parity/classifier_run.h"
#include "tests/parity/run.h"
#include "tests/support/scratch.h"

namespace fcm::parity {
namespace {

constexpr Types kExact{at::kDouble, at::kDouble};

// A folder with a manifest of one file.
class Folder {
 public:
  // The written errors are typical of float32 for models this small.
  void write(nlohmann::json about, const Tensors& tensors) const {
    about["errors_fp32_vs_fp64"] = {{"max_rel_to_tensor_max", 1e-6}};
    about["errors_fp32_vs_fp64_grads"] = {{"max_rel_to_tensor_max", 2e-6}};
    std::ofstream(folder_ / "manifest.json")
        << nlohmann::json{{"files", {{"other.golden.safetensors", about}}}};
    train::PublishedTensors stored;
    for (const auto& [name, value] : tensors) {
      stored.add(name, value.is_floating_point() ? value.to(at::kFloat) : value);
    }
    formats::write_safetensors(folder_ / "other.golden.safetensors", stored.views, {});
  }

  std::vector<CaseResult> run() const {
    std::vector<CaseResult> results;
    for (const Entry& entry : find_entries(folder_.path())) {
      for (CaseResult& result : run_cases(entry, {})) results.push_back(std::move(result));
    }
    return results;
  }

 private:
  test::Scratch folder_;
};

Entry entry_of(const nlohmann::json& about) {
  return {"nowhere", "other.golden.safetensors", about, {}};
}

// The reference's tensors whose names the fast model has too. The reference reports more
// activations inside of blocks.
Tensors of_both(const parity::Run& plain, const parity::Run& fast) {
  Tensors both;
  for (const auto& [name, value] : plain.values) {
    if (fast.values.contains(name)) both[name] = value;
  }
  return both;
}

void expect_all_pass(const std::vector<CaseResult>& results, size_t cases) {
  EXPECT_EQ(results.size(), cases);
  for (const CaseResult& result : results) {
    EXPECT_TRUE(result.passed()) << result.name << ": "
                                 << (result.faults.empty() ? "" : result.faults.front());
    EXPECT_GT(result.tensors, 100) << result.name;
  }
}

void check_pretraining(nlohmann::json about) {
  about["kind"] = "compact";
  const PublishedModel model = published_model(about);
  const Inputs inputs = make_inputs(entry_of(about), model, parameters_of(model), {});
  const Tensors stored = of_both(run_pretraining(model, inputs, Path::kReference, kExact),
                                 run_pretraining(model, inputs, Path::kFast, kExact));
  const Folder folder;
  folder.write(about, stored);
  expect_all_pass(folder.run(), 6);
}

TEST(ParityOfOtherModels, FastConvMae) {
  check_pretraining({{"source", {{"file", "models_fastconvmae.py"}}},
                     {"constructor",
                      {{"img_size", {64, 16, 8}},
                       {"patch_size", {4, 2, 2}},
                       {"embed_dim", {8, 16, 24}},
                       {"depth", {2, 0, 1}},
                       {"num_heads", 3},
                       {"decoder_embed_dim", 16},
                       {"decoder_num_heads", 2},
                       {"mlp_ratio", {2, 4, 3}}}},
                     {"weight_seed", 5},
                     {"images", "procedural \"images\", seed 5, [3,3,64,64]"},
                     {"noise", "procedural \"noise\", seed 5, [3,16]"},
                     {"mask_ratio", 0.75}});
}

TEST(ParityOfOtherModels, Mae) {
  check_pretraining({{"source", {{"file", "models_mae.py"}}},
                     {"constructor",
                      {{"img_size", 48},
                       {"patch_size", 8},
                       {"embed_dim", 24},
                       {"depth", 3},
                       {"num_heads", 2},
                       {"decoder_embed_dim", 16},
                       {"decoder_depth", 1},
                       {"decoder_num_heads", 4},
                       {"mlp_ratio", 2}}},
                     {"weight_seed", 9},
                     {"images", "procedural \"images\", seed 3, [1,3,48,48]"},
                     {"noise", "procedural \"noise\", seed 4, [1,36]"},
                     {"mask_ratio", 0.6}});
}

TEST(ParityOfOtherModels, ConvVitClassifier) {
  const nlohmann::json about{{"kind", "finetune"},
                             {"source", {{"file", "models_convvit.py"}}},
                             {"constructor",
                              {{"img_size", {32, 8, 4}},
                               {"patch_size", {4, 2, 2}},
                               {"num_classes", 7},
                               {"embed_dim", {8, 12, 16}},
                               {"depth", {1, 2, 1}},
                               {"num_heads", 4},
                               {"mlp_ratio", {4, 4, 4}},
                               {"global_pool", true}}},
                             {"weight_seed", 2},
                             {"images", "procedural \"images\", seed 2, [4,3,32,32]"}};
  const PublishedModel model = published_model(about);
  const Inputs inputs =
      make_inputs(entry_of(about), model,
                  reference::classifier_names_and_shapes(reference_classifier(model)), {});
  at::manual_seed(3);
  const ClassifierTargets targets{at::randint(7, {4}, at::kLong),
                                  at::softmax(at::randn({4, 7}), 1)};
  const Tensors stored = of_both(run_classifier(model, inputs, targets, Path::kReference, kExact),
                                 run_classifier(model, inputs, targets, Path::kFast, kExact));
  const Folder folder;
  folder.write(about, stored);
  expect_all_pass(folder.run(), 6);
}

}  // namespace
}  // namespace fcm::parity
