// Image towers from files of each supported program, compared with plain tensor calls.
#include "fcm/tasks/teachers.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fcm/nn/positions.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/tasks/trained_model.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"
#include "tests/support/recording_reporter.h"
#include "tests/support/tower_files.h"
#include "tests/tasks/child.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;
using test::Mistake;
using test::PlainTower;
using test::TowerLayout;

std::vector<TowerLayout> all_layouts() {
  std::vector<TowerLayout> all = test::dino_layouts();
  for (TowerLayout& one : test::clip_layouts()) all.push_back(std::move(one));
  return all;
}

TowerLayout layout_called(const std::string& label) {
  for (TowerLayout& one : all_layouts()) {
    if (one.label == label) return one;
  }
  ADD_FAILURE() << "unknown layout " << label;
  return {};
}

PlainTower tower_of(const TowerLayout& layout) {
  at::manual_seed(7);
  PlainTower tower = test::make_tower(layout);
  test::fit_to(tower, layout.label);
  return tower;
}

// Features of a teacher. The patches of each image are in the order `order_BL`.
struct TeacherFeatures {
  at::Tensor last_BLD, normed_BLD, order_BL;
};

TeacherFeatures features_by(interop::TeacherFile& file, const at::Tensor& images_BCHW,
                            at::ScalarType compute = at::kDouble) {
  targets::TeacherOptions options = file.options;
  options.rows = images_BCHW.size(2);
  options.cols = images_BCHW.size(3);
  if (options.heads == 0) options.heads = 2;
  targets::Teacher teacher(options, at::kDouble);
  fill_teacher(teacher, file, "file");
  at::manual_seed(3);
  const int64_t patches = teacher.grid().patches();
  const at::Tensor order_BL =
      at::rand({images_BCHW.size(0), patches}).argsort(/*dim=*/int64_t{1}, /*descending=*/false);
  const at::Tensor pixels = ops::patchify_normalised(images_BCHW, order_BL, teacher.geometry());
  const auto features = [&](targets::Feature feature) {
    return teacher.features(pixels, order_BL, feature, compute);
  };
  return {features(targets::Feature::kTokens), features(targets::Feature::kNormed), order_BL};
}

at::Tensor in_order(const at::Tensor& raster_BLD, const at::Tensor& order_BL) {
  return raster_BLD.gather(1, order_BL.unsqueeze(-1).expand_as(raster_BLD));
}

at::Tensor images() {
  at::manual_seed(5);
  return at::randn({2, 3, 24, 24}, at::kDouble);
}

TeacherFeatures features_of_layout(const PlainTower& tower, const TowerLayout& layout) {
  const test::Scratch scratch;
  test::write_tower(scratch / "tower", tower, layout);
  interop::TeacherFile file = interop::read_teacher(scratch / "tower");
  return features_by(file, images());
}

TEST(TowerFiles, EveryLayoutGivesTheTokensOfThePlainForm) {
  for (const TowerLayout& layout : all_layouts()) {
    SCOPED_TRACE(layout.label);
    const PlainTower tower = tower_of(layout);
    const TeacherFeatures features = features_of_layout(tower, layout);
    const test::PlainTokens plain = test::plain_tokens(tower, images());
    EXPECT_EQ(test::compare(features.last_BLD, in_order(plain.last_BLD, features.order_BL), 1e-12)
                  .description,
              "");
    EXPECT_EQ(
        test::compare(features.normed_BLD, in_order(plain.normed_BLD, features.order_BL), 1e-12)
            .description,
        "");
  }
}

// Negative control: the comparison detects mistakes that are planted in the plain tower.
TEST(TowerFiles, MistakesAreNoticed) {
  const auto differs = [](const std::string& label, Mistake mistake, const std::string& gelu = {}) {
    const TowerLayout layout = layout_called(label);
    PlainTower tower = tower_of(layout);
    const TeacherFeatures features = features_of_layout(tower, layout);
    if (!gelu.empty()) tower.gelu = gelu;
    const at::Tensor wrong = test::plain_tokens(tower, images(), mistake).last_BLD;
    return test::compare(features.last_BLD, in_order(wrong, features.order_BL), 1e-5).first_bad >=
           0;
  };
  EXPECT_FALSE(differs("timm dinov3 qkvb", Mistake::kNone));
  EXPECT_TRUE(differs("timm dinov3 qkvb", Mistake::kKeysForQueries));
  EXPECT_TRUE(differs("transformers clip", Mistake::kKeysForQueries));
  EXPECT_TRUE(differs("transformers dinov2", Mistake::kNoLayerScale));
  EXPECT_TRUE(differs("transformers dinov3", Mistake::kNoLayerScale));
  EXPECT_TRUE(differs("transformers dinov3", Mistake::kAxesExchanged));
  EXPECT_TRUE(differs("published dinov3", Mistake::kRegistersTurned));
  EXPECT_TRUE(differs("openai", Mistake::kNone, "gelu"));
  EXPECT_TRUE(differs("open_clip", Mistake::kNone, "quick_gelu"));
  EXPECT_TRUE(differs("transformers siglip", Mistake::kNone, "gelu"));
}

TEST(TowerFiles, RunInTheComputeTypeAsTheOthers) {
  const TowerLayout layout = layout_called("transformers dinov3");
  const PlainTower tower = tower_of(layout);
  const test::Scratch scratch;
  test::write_tower(scratch / "tower", tower, layout);
  interop::TeacherFile file = interop::read_teacher(scratch / "tower");
  const TeacherFeatures features = features_by(file, images(), at::kBFloat16);
  EXPECT_EQ(features.normed_BLD.scalar_type(), at::kBFloat16);
  EXPECT_FALSE(features.normed_BLD.requires_grad());
  const at::Tensor plain = test::plain_tokens(tower, images()).normed_BLD;
  EXPECT_EQ(
      test::compare(features.normed_BLD, in_order(plain, features.order_BL), 0.05).description, "");
}

// Kind, sizes, activation and normalisation are read from the files of every layout.
TEST(TowerFiles, KindSizesAndPixelsAreSaid) {
  using targets::TeacherKind;
  const auto kind_of = [](const std::string& label) -> TeacherKind {
    if (label.find("dinov2") != std::string::npos) return TeacherKind::kDinoV2;
    if (label.find("dinov3") != std::string::npos) return TeacherKind::kDinoV3;
    return label.find("siglip") != std::string::npos ? TeacherKind::kSiglip : TeacherKind::kClip;
  };
  const test::Scratch scratch;
  for (const TowerLayout& layout : all_layouts()) {
    SCOPED_TRACE(layout.label);
    const fs::path folder = scratch / layout.label;
    const PlainTower tower = tower_of(layout);
    test::write_tower(folder, tower, layout);
    const targets::TeacherOptions found = interop::read_teacher(folder).options;
    EXPECT_EQ(found.kind, kind_of(layout.label));
    EXPECT_EQ(found.dim, 32);
    EXPECT_EQ(found.depth, 2);
    EXPECT_EQ(found.stride, 8);
    EXPECT_EQ(found.registers, tower.registers);
    EXPECT_EQ(static_cast<int64_t>(found.mlp_ratio * 32), 64);
    EXPECT_EQ(found.norm_epsilon, tower.epsilon);
    EXPECT_EQ(found.rows, tower.positions ? 24 : 0);
    const double mean = found.kind == TeacherKind::kClip     ? 0.48145466
                        : found.kind == TeacherKind::kSiglip ? 0.5
                                                             : 0.485;
    EXPECT_DOUBLE_EQ(found.mean[0], mean);
    const encoder::Gelu gelu = tower.gelu == "gelu"        ? encoder::Gelu::kExact
                               : tower.gelu == "gelu_tanh" ? encoder::Gelu::kTanh
                                                           : encoder::Gelu::kQuick;
    EXPECT_EQ(found.gelu, gelu);
    const bool clip = found.kind == TeacherKind::kClip;
    EXPECT_EQ(found.projected_dim, clip ? 16 : 0);
  }
}

// A file's own mean and std take precedence over the upstream values of its kind.
TEST(TowerFiles, ConfigurationsWinOverWhatIsPublished) {
  TowerLayout layout = layout_called("transformers clip");
  layout.texts["preprocessor_config.json"] =
      R"({"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]})";
  layout.texts["config.json"] =
      R"({"model_type": "clip", "vision_config": {)" + test::vision_sizes(R"(, "hidden_act": "gelu",
                                                      "layer_norm_eps": 0.001}})");
  const test::Scratch scratch;
  test::write_tower(scratch / "tower", tower_of(layout), layout);
  const targets::TeacherOptions found = interop::read_teacher(scratch / "tower").options;
  EXPECT_EQ(found.mean, (std::array{0.1, 0.2, 0.3}));
  EXPECT_EQ(found.stddev, (std::array{0.4, 0.5, 0.6}));
  EXPECT_EQ(found.gelu, encoder::Gelu::kExact);
  EXPECT_EQ(found.norm_epsilon, 0.001);
  EXPECT_EQ(found.heads, 2);
}

TEST(TowerFiles, TheProjectionIsTheSameFromEveryProgram) {
  const test::Scratch scratch;
  for (const TowerLayout& layout : test::clip_layouts()) {
    const fs::path folder = scratch / layout.label;
    const PlainTower tower = tower_of(layout);
    test::write_tower(folder, tower, layout);
    interop::TeacherFile file = interop::read_teacher(folder);
    if (file.options.kind != targets::TeacherKind::kClip) continue;
    targets::TeacherOptions options = file.options;
    options.heads = 2;
    targets::Teacher teacher(options, at::kDouble);
    fill_teacher(teacher, file, "file");
    const at::Tensor proj = teacher.parameters().find("proj").value;
    EXPECT_EQ(test::compare(proj, at::eye(32, 16), 0).description, "") << layout.label;
  }
}

// DINOv2's interpolation of positions: PyTorch's bicubic kernel (a = -0.75) at the position
// (new + 0.5) / ((new extent + 0.1) / old extent) - 0.5 of the old table, with repeated borders.
double cubic(double x) {
  const double a = -0.75, t = std::abs(x);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

at::Tensor rows_of(int64_t from, int64_t to, double offset) {  // [to, from]
  at::Tensor weights = at::zeros({to, from}, at::kDouble);
  auto number = weights.accessor<double, 2>();
  const double scale = (static_cast<double>(to) + offset) / static_cast<double>(from);
  for (int64_t i = 0; i < to; ++i) {
    const double place = (static_cast<double>(i) + 0.5) / scale - 0.5;
    const auto first = static_cast<int64_t>(std::floor(place));
    for (int64_t k = first - 1; k <= first + 2; ++k) {
      number[i][std::clamp<int64_t>(k, 0, from - 1)] += cubic(place - static_cast<double>(k));
    }
  }
  return weights;
}

TEST(TowerFiles, PositionsAreInterpolatedAsTheAuthorsDo) {
  at::manual_seed(1);
  const at::Tensor table = at::randn({1, 1 + 49, 4}, at::kDouble);
  const at::Tensor map = table.slice(1, 1).reshape({7, 7, 4});
  const auto resized = [&](nn::PositionFilter filter) {
    return nn::resize_positions(table, 7, 7, 5, 6, filter);
  };
  const auto formula = [&](double offset) {
    const at::Tensor rows = rows_of(7, 5, offset), cols = rows_of(7, 6, offset);
    return at::cat(
        {table.slice(1, 0, 1), at::einsum("ri,cj,ijd->rcd", {rows, cols, map}).reshape({1, 30, 4})},
        1);
  };
  EXPECT_EQ(test::compare(resized(nn::PositionFilter::kOffset), formula(0.1), 1e-12).description,
            "");
  EXPECT_EQ(test::compare(resized(nn::PositionFilter::kBicubic), formula(0), 1e-12).description,
            "");
  EXPECT_GE(test::compare(resized(nn::PositionFilter::kOffset), formula(0), 1e-4).first_bad, 0);
  EXPECT_GE(test::compare(resized(nn::PositionFilter::kAntialias), formula(0), 1e-3).first_bad, 0);
}

std::string refusal(const test::Named& named,
                    const std::map<std::string, std::string>& texts = {}) {
  const test::Scratch scratch;
  fs::create_directories(scratch / "folder");
  test::write_tensors(scratch / "folder" / "model.safetensors", named);
  for (const auto& [file, text] : texts) {
    write_file_durably(scratch / "folder" / file, text, ExitCode::kCheckpoint, "configuration");
  }
  return test::error_of(ExitCode::kCheckpoint, [&] { interop::read_teacher(scratch / "folder"); });
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\ndoes not contain: " << part;
}

TEST(TowerFiles, WhatIsNoTowerIsNamed) {
  const at::Tensor one = at::zeros({4});
  expect_part(refusal({{"text_model.embeddings.token_embedding.weight", one}}),
              "only a text tower");
  expect_part(refusal({{"visual.conv1.weight", at::zeros({4, 3, 3, 3})},
                       {"visual.layer1.0.conv1.weight", at::zeros({4, 4, 1, 1})},
                       {"visual.attnpool.positional_embedding", one}}),
              "a CLIP whose image tower is a ResNet");
  expect_part(refusal({{"visual.trunk.stem.0.weight", one}}), "image tower is not a ViT");
  expect_part(refusal({{"features.0.weight", one}}), "none of its 1 tensors embeds patches");
  const auto altered = [&](const char* label, const std::function<void(test::Named&)>& change) {
    const TowerLayout layout = layout_called(label);
    test::Named named = test::as_written(tower_of(layout), layout);
    change(named);
    return refusal(named, layout.texts);
  };
  expect_part(altered("timm dinov2",
                      [](test::Named& named) {
                        named["blocks.0.mlp.w12.weight"] = at::zeros({64, 32});
                      }),
              "gated MLPs (SwiGLU)");
  expect_part(
      altered("transformers siglip",
              [](test::Named& named) {
                named["vision_model.embeddings.patch_embedding.weight"] = at::zeros({32, 192});
              }),
      "NaFlex");
  expect_part(altered("transformers dinov2 with registers",
                      [](test::Named& named) { test::erase_ending(named, "lambda1"); }),
              "no LayerScale");
  expect_part(altered("transformers dinov2",
                      [](test::Named& named) {
                        test::erase_ending(named, "layer.1.attention.attention.query.weight");
                      }),
              "blocks.1.attn.q.weight is missing");
  expect_part(altered("transformers clip",
                      [](test::Named& named) {
                        named["vision_model.embeddings.class_embedding"] = at::zeros({32});
                        named["vision_model.cls_token"] = at::zeros({32});
                      }),
              "two tensors get the name cls_token");
  expect_part(altered("timm dinov2",
                      [](test::Named& named) {
                        named["blocks.0.mlp.fc1.weight"] = at::zeros({128, 32});
                      }),
              "mlp.fc1 has 128 outputs, mlp.fc2 has 64 inputs");
  TowerLayout other_base = layout_called("transformers dinov3");
  other_base.texts["config.json"] = R"({"model_type": "dinov3_vit", "rope_theta": 10000})";
  expect_part(refusal(test::as_written(tower_of(other_base), other_base), other_base.texts),
              "rope_theta = 10000");
  TowerLayout wrong = layout_called("transformers clip");
  wrong.texts["config.json"] = R"({"model_type": "clip", "vision_config": {)" +
                               test::vision_sizes(R"(, "hidden_act": "relu"}})");
  expect_part(refusal(test::as_written(tower_of(wrong), wrong), wrong.texts),
              "the activation is relu");
  wrong.texts["config.json"] = R"({"model_type": "clip", "vision_config": {"hidden_size": 768,
                                   "num_hidden_layers": 12, "patch_size": 16}})";
  expect_part(refusal(test::as_written(tower_of(wrong), wrong), wrong.texts),
              "they do not belong together");
}

// --- runs ---

struct TowerRun {
  const char *layout, *target, *tower;
};

const std::vector<TowerRun>& runs() {
  static const std::vector<TowerRun> all = {
      {"transformers dinov2", "dino", "dinov2_tiny"},
      {"published dinov2 with registers", "dino", "dinov2_tiny_reg"},
      {"timm dinov3", "dino", "dinov3_tiny"},
      {"open_clip", "clip", "tiny"},
      {"transformers siglip", "clip", "siglip_tiny"}};
  return all;
}

recipe::Recipe smoke_mixture(const std::vector<std::string>& set) {
  return recipe::load_recipe(
      "smoke_mixture", std::vector<fs::path>{fs::path(FCM_SOURCE_DIR) / "recipes" / "smoke"}, set);
}

recipe::Recipe recipe_with(const TowerRun& run) {
  return smoke_mixture({fmt::format("targets.{}_tower={}", run.target, run.tower)});
}

TEST(TowerRuns, AnotherTowerIsRefusedWithWhatItIs) {
  const test::Scratch scratch;
  const TowerLayout layout = layout_called("transformers dinov2");
  test::write_tower(scratch / "tower", tower_of(layout), layout);
  const auto refused = [&](const char* name, const std::vector<std::string>& set,
                           ExitCode code = ExitCode::kCheckpoint) {
    test::RecordingReporter reporter;
    return test::error_of(code, [&] {
      load_teachers(smoke_mixture(set), {{name, scratch / "tower"}}, at::kCPU, reporter);
    });
  };
  const std::string other = refused("dino", {"targets.dino_tower=dinov3_tiny"});
  expect_part(other,
              "DINOv2 with 32 channels, 2 blocks, patches of 8 pixels, and the recipe needs "
              "DINOv3 with 32 channels");
  expect_part(other, "--set targets.dino_tower=dinov2_tiny");
  expect_part(refused("clip", {}), "which is a teacher of targets.dino");
  expect_part(refused("ema", {}, ExitCode::kUsage), "the recipe has no target of that name");
}

TEST(TowerRuns, WhatIsAssumedIsSaid) {
  const test::Scratch scratch;
  const TowerLayout layout = layout_called("openai");
  test::write_tower(scratch / "tower", tower_of(layout), layout);
  test::RecordingReporter reporter;
  load_teachers(smoke_mixture({}), {{"clip", scratch / "tower"}}, at::kCPU, reporter);
  const std::string said = fmt::format("{}", fmt::join(reporter.infos, "\n"));
  expect_part(said, "using QuickGELU, as in OpenAI's CLIP");
  expect_part(said, "mean [0.4815, 0.4578, 0.4082]");
  expect_part(said, "using the image tower of CLIP (visual.*); 3 other tensors are left out");
}

// A tower's file that is passed as a checkpoint is refused; the message names --teacher instead.
TEST(TowerRuns, AsACheckpointATowerIsRefusedWithWhatItIs) {
  const test::Scratch scratch;
  for (const char* label :
       {"timm dinov2", "transformers dinov2 with registers", "timm dinov3", "transformers dinov3",
        "openai", "transformers clip", "transformers siglip", "timm siglip"}) {
    SCOPED_TRACE(label);
    const TowerLayout layout = layout_called(label);
    const fs::path folder = scratch / label;
    test::write_tower(folder, tower_of(layout), layout);
    test::RecordingReporter reporter;
    const std::string said = test::error_of(ExitCode::kCheckpoint, [&] {
      load_trained_model({folder / layout.weights_file, {}, {}}, ModelUse::kFeatures, reporter,
                         at::kCPU);
    });
    expect_part(said, "FILE takes and --checkpoint does not");
  }
}

std::string bytes_of_step(const fs::path& out, const char* file) {
  return read_file(out / "checkpoints" / "step-3" / file, ExitCode::kCheckpoint);
}

// Each run has two teachers, one for each target. Together the runs use every entry of runs().
TEST(TowerRuns, EveryKindTrainsAndGoesOnToTheSameBits) {
  const std::vector<TowerRun>& all = runs();
  for (const auto& [dino, clip] : {std::pair{all[0], all[3]}, {all[1], all[4]}, {all[2], all[4]}}) {
    const test::Scratch scratch;
    std::vector<std::string> words = {"pretrain", "--recipe",  "smoke_mixture",
                                      "--data",   "synthetic", "--threads",
                                      "1",        "--quiet"};
    for (const TowerRun& run : {dino, clip}) {
      const TowerLayout layout = layout_called(run.layout);
      const fs::path folder = scratch / run.target;
      test::write_tower(folder, tower_of(layout), layout);
      for (const std::string& word :
           {std::string("--teacher"), fmt::format("{}={}", run.target, folder.string()),
            std::string("--set"), fmt::format("targets.{}_tower={}", run.target, run.tower)}) {
        words.push_back(word);
      }
    }
    const auto pretrain = [&](const char* out, const char* steps) {
      std::vector<std::string> run = words;
      for (const std::string& word : {std::string("--out"), (scratch / out).string(),
                                      std::string("--set"), fmt::format("run.max_steps={}", steps)})
        run.push_back(word);
      return tests::wait_for(tests::start(run, 0, scratch / "result.txt"));
    };
    SCOPED_TRACE(fmt::format("{}, {}", dino.layout, clip.layout));
    ASSERT_EQ(pretrain("whole", "3"), 0);
    ASSERT_EQ(pretrain("parts", "2"), 0);
    ASSERT_EQ(pretrain("parts", "3"), 0);
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      EXPECT_TRUE(bytes_of_step(scratch / "whole", file) == bytes_of_step(scratch / "parts", file))
          << file;
    }
  }
}

// The teacher that a recipe loads has the normalisation of its file, and other weights than the
// random ones of a teacher without a file.
TEST(TowerRuns, FeaturesAreThoseOfTheFile) {
  for (const TowerRun& run : runs()) {
    SCOPED_TRACE(run.layout);
    const test::Scratch scratch;
    const TowerLayout layout = layout_called(run.layout);
    test::write_tower(scratch / "tower", tower_of(layout), layout);
    test::RecordingReporter reporter;
    const auto of_file =
        load_teachers(recipe_with(run), {{run.target, scratch / "tower"}}, at::kCPU, reporter);
    const auto random = load_teachers(recipe_with(run), {}, at::kCPU, reporter);
    const targets::Teacher& tower = of_file->tower(run.target);
    const double mean = run.target == std::string("dino")  ? 0.485
                        : run.tower == std::string("tiny") ? 0.48145466
                                                           : 0.5;
    EXPECT_DOUBLE_EQ(normalisation_of(tower.options()).mean[0], mean);
    const char* weight = "blocks.1.mlp.fc2.weight";
    EXPECT_GE(test::compare(tower.parameters().find(weight).value,
                            random->tower(run.target).parameters().find(weight).value, 1e-3)
                  .first_bad,
              0);
  }
}

}  // namespace
}  // namespace fcm::tasks
