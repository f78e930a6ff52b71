// The program's ONNX graphs compute the outputs of its models. A graph is written to a file, read
// back and run operator by operator in float64 (tests/support/onnx_interpreter.h).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <optional>

#include "fcm/heads/batch_norm_probe.h"
#include "fcm/interop/onnx/models.h"
#include "tests/support/compare.h"
#include "tests/support/model_outputs.h"
#include "tests/support/onnx_interpreter.h"
#include "tests/support/scratch.h"

namespace fcm::interop::onnx {
namespace {

using encoder::EncoderOptions;
using formats::OnnxModel;
using test::compare;
using test::Outputs;
using test::ReadModel;
using test::shake;

// The constants of a graph are rounded to float32.
constexpr double kTolerance = 1e-6;

// Copies float32 weights to a float64 model.
void copy_weights(const nn::Parameters& from, nn::Parameters& to) {
  for (const nn::Parameter& parameter : from.all()) {
    to.set_published(to.find(parameter.name), from.published(parameter).to(at::kDouble));
  }
}

Pixels pixels_of(int64_t channels) {
  if (channels == 1) return {{0.4}, {0.3}};
  return {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
}

ReadModel written(const OnnxModel& model) {
  const test::Scratch scratch;
  formats::write_onnx(scratch / "model.onnx", model);
  ReadModel read = test::read_onnx(scratch / "model.onnx");
  test::check_onnx(read);
  return read;
}

at::Tensor random_pixels(int64_t batch, int64_t channels, int64_t rows, int64_t cols) {
  at::manual_seed(11);
  return at::rand({batch, channels, rows, cols}, at::kDouble);
}

void expect_equal(const test::OnnxValues& got, const Outputs& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (const auto& [name, value] : wanted) {
    ASSERT_TRUE(got.contains(name)) << name;
    const test::Difference difference = compare(got.at(name), value, kTolerance);
    EXPECT_TRUE(difference.description.empty()) << name << ": " << difference.description;
  }
}

// Compares graph and model for batches of one and three images. The weights are float32.
template <class Model, class Options, class Make>
void expect_same_outputs(const Options& options, int64_t rows, int64_t cols, int64_t channels,
                         const Make& make) {
  const test::OneThread one_thread;
  std::optional<Model> model(std::in_place, options, 1);
  Model wide(options, 1, at::kDouble);
  shake(model->parameters());
  copy_weights(model->parameters(), wide.parameters());
  const Pixels pixels = pixels_of(channels);
  const OnnxModel graph = make(*model, pixels);
  model.reset();  // the graph must not refer to the model
  const ReadModel read = written(graph);
  for (const int64_t batch : {1, 3}) {
    const at::Tensor images = random_pixels(batch, channels, rows, cols);
    expect_equal(test::run_onnx(read, {{"pixels", images}}, at::kDouble),
                 test::outputs_of(wide, test::normalised(images, pixels.mean, pixels.stddev)));
  }
}

EncoderOptions small_encoder(const std::string& kind) {
  if (kind == "vit") return {"custom", {16}, {16}, {3}, 4, {3}};
  if (kind == "swin") {  // 12 x 16, 6 x 8 and 3 x 4 cells for 3 x 4 patches
    return {"custom", {2, 2, 2}, {8, 12, 16}, {2, 3, 2}, {2, 3, 4}, {2, 2, 3}, 1e-5, 4};
  }
  return {"custom", {4, 2, 2}, {8, 12, 16}, {2, 1, 2}, 4, {2, 3, 4}};
}

int64_t patch_of(const std::string& kind) { return small_encoder(kind).patch_side(); }

// --- encoders ---

models::AutoencoderOptions autoencoder(const std::string& kind) {
  models::AutoencoderOptions options;
  options.kind = kind;
  options.encoder = small_encoder(kind);
  options.decoder = {16, 2, 2, 4.0};
  options.rows = 3 * patch_of(kind);
  options.cols = 4 * patch_of(kind);
  return options;
}

void expect_encoder(const models::AutoencoderOptions& options) {
  expect_same_outputs<models::MaskedAutoencoder>(options, options.rows, options.cols,
                                                 options.channels, features_graph);
}

TEST(OnnxEncoder, ConvVitWithFusedStages) { expect_encoder(autoencoder("conv_vit")); }
TEST(OnnxEncoder, VitWithItsClassToken) { expect_encoder(autoencoder("vit")); }
TEST(OnnxEncoder, SwinWhoseWindowsDoNotAllFit) { expect_encoder(autoencoder("swin")); }
TEST(OnnxEncoder, SwinWithMaskTokens) {
  models::AutoencoderOptions options = autoencoder("swin");
  options.decoder.kind = "linear";
  options.rows = options.cols = 32;  // maps without padding: windows divide them
  expect_encoder(options);
}
TEST(OnnxEncoder, GreyImages) {
  models::AutoencoderOptions options = autoencoder("conv_vit");
  options.channels = 1;
  expect_encoder(options);
}

// --- classifiers ---

models::ClassifierOptions classifier(const std::string& kind, bool mean_pool) {
  models::ClassifierOptions options;
  options.kind = kind;
  options.encoder = small_encoder(kind);
  options.rows = 4 * patch_of(kind);
  options.cols = 3 * patch_of(kind);
  options.classes = 7;
  options.mean_pool = mean_pool;
  return options;
}

TEST(OnnxClassifier, EveryEncoderWithEitherPooling) {
  for (const char* kind : {"conv_vit", "vit", "swin"}) {
    for (const bool mean_pool : {true, false}) {
      SCOPED_TRACE(fmt::format("{}, mean {}", kind, mean_pool));
      const models::ClassifierOptions options = classifier(kind, mean_pool);
      expect_same_outputs<models::Classifier>(
          options, options.rows, options.cols, options.channels,
          [](const models::Classifier& model, const Pixels& pixels) {
            return classes_graph(model, pixels);
          });
    }
  }
}

TEST(OnnxClassifier, PublishedProbe) {
  const models::ClassifierOptions options = classifier("vit", false);
  models::Classifier model(options, 1, at::kDouble);
  nn::Parameters head(1, at::kDouble);
  const heads::BatchNormProbe probe(nn::Scope(head) / "head", 16, 7);
  head.flatten();
  for (nn::Parameters* parameters : {&model.parameters(), &head}) {
    shake(*parameters);
    const at::NoGradGuard no_grad;
    for (const nn::Parameter& parameter : parameters->all()) {
      at::Tensor value = parameter.value;
      value.copy_(value.to(at::kFloat));
    }
  }
  const Pixels pixels = pixels_of(3);
  const ReadModel read = written(classes_graph(model, head, 7, pixels));
  const at::NoGradGuard no_grad;
  const at::Tensor images = random_pixels(2, 3, options.rows, options.cols);
  const at::Tensor features_BD =
      test::features_of(model, test::normalised(images, pixels.mean, pixels.stddev));
  expect_equal(test::run_onnx(read, {{"pixels", images}}, at::kDouble),
               {{"logits", probe.evaluate(features_BD)}});
}

// --- segmenters ---

void expect_segmenter(const models::SegmenterOptions& options) {
  expect_same_outputs<models::Segmenter>(options, options.rows, options.cols, options.channels,
                                         map_graph);
}

models::SegmenterOptions segmenter(const std::string& kind) {
  models::SegmenterOptions options;
  options.kind = kind;
  options.encoder = small_encoder(kind);
  options.rows = 80;
  options.cols = 64;
  options.classes = 5;
  options.head_channels = 8;
  options.aux_channels = 4;
  if (kind == "vit") options.taps = {0, 1, 1, 2};
  return options;
}

TEST(OnnxSegmenter, ConvVit) { expect_segmenter(segmenter("conv_vit")); }
TEST(OnnxSegmenter, Vit) { expect_segmenter(segmenter("vit")); }

// --- detectors ---

void expect_trunk(models::DetectorOptions options) {
  options.classes = 3;
  options.channels = 8;
  options.box_features = 8;
  options.testing_proposals = {20, 10};
  const models::DetectorBackboneOptions& backbone = options.backbone;
  expect_same_outputs<models::Detector>(options, backbone.rows, backbone.cols, backbone.channels,
                                        trunk_graph);
}

models::DetectorOptions detector(const std::string& kind, int64_t rows, int64_t cols,
                                 int64_t window) {
  models::DetectorOptions options;
  options.backbone.kind = kind;
  options.backbone.encoder = small_encoder(kind);
  options.backbone.rows = rows * patch_of(kind);
  options.backbone.cols = cols * patch_of(kind);
  options.backbone.window = window;
  options.backbone.global_blocks = {1};
  return options;
}

TEST(OnnxTrunk, ConvVitWithSharedTables) { expect_trunk(detector("conv_vit", 4, 6, 2)); }
TEST(OnnxTrunk, ConvVitWithTablesOfEachBlock) {
  models::DetectorOptions options = detector("conv_vit", 4, 5, 3);  // windows are padded
  options.backbone.form = models::BackboneForm::kDecomposed;
  expect_trunk(options);
}
TEST(OnnxTrunk, Vit) {
  models::DetectorOptions options = detector("vit", 4, 6, 2);
  options.backbone.encoder = {"custom", {16}, {32}, {4}, 4, {2}};
  expect_trunk(options);
}
TEST(OnnxTrunk, SwinWithWindowsFilledUp) {
  models::DetectorOptions options = detector("swin", 2, 4, 0);
  options.backbone.encoder = {
      "custom", {2, 2, 2, 2}, {8, 12, 16, 20}, {2, 2, 1, 2}, {2, 3, 4, 5}, {2, 2, 2, 2}, 1e-5, 3};
  options.backbone.rows = 32;
  options.backbone.cols = 64;
  options.backbone.global_blocks = {};
  expect_trunk(options);
}

// --- negative controls ---

// An error planted in the graph changes its outputs.
TEST(OnnxComparison, SeesAPlantedError) {
  const test::OneThread one_thread;
  const models::AutoencoderOptions options = autoencoder("swin");
  models::MaskedAutoencoder model(options, 1);
  shake(model.parameters());
  const Pixels pixels = pixels_of(3);
  const at::Tensor images = random_pixels(1, 3, options.rows, options.cols);
  const ReadModel sound = written(features_graph(model, pixels));
  const at::Tensor wanted = test::run_onnx(sound, {{"pixels", images}}, at::kDouble).at("features");
  const auto differs = [&](const char* what, const ReadModel& damaged) {
    const at::Tensor got =
        test::run_onnx(damaged, {{"pixels", images}}, at::kDouble).at("features");
    EXPECT_GT(compare(got, wanted, kTolerance).max_rel, 2 * kTolerance) << what;
  };
  ReadModel damaged = sound;
  for (test::ReadNode& node : damaged.nodes) {
    if (node.op == "LayerNormalization") node.reals["epsilon"] = 1e-6F;
  }
  differs("another epsilon", damaged);
  damaged = sound;
  std::string& cells = damaged.tensors.at("layers.0.moved_windows/window_cells").bytes;
  std::rotate(cells.begin(), cells.begin() + 8, cells.end());
  differs("a shift by another cell", damaged);
  damaged = sound;
  std::string& mask = damaged.tensors.at("layers.0.moved_windows/window_mask").bytes;
  std::fill(mask.begin(), mask.end(), '\0');
  differs("no mask", damaged);
}

TEST(OnnxComparison, DetectsInvalidGraphs) {
  const models::AutoencoderOptions options = autoencoder("vit");
  const models::MaskedAutoencoder model(options, 1);
  const ReadModel sound = written(features_graph(model, pixels_of(3)));
  ReadModel damaged = sound;
  std::swap(damaged.nodes.front(), damaged.nodes.back());
  EXPECT_ANY_THROW(test::check_onnx(damaged));
  damaged = sound;
  damaged.tensors["nobody's"] = {};
  EXPECT_ANY_THROW(test::check_onnx(damaged));
  damaged = sound;
  damaged.nodes.back().numbers["axis"] = 1;
  const at::Tensor images = random_pixels(1, 3, options.rows, options.cols);
  EXPECT_ANY_THROW(test::run_onnx(damaged, {{"pixels", images}}, at::kDouble));
}

}  // namespace
}  // namespace fcm::interop::onnx
