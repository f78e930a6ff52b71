#include "fcm/interop/segmenters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/encoder/names.h"
#include "fcm/interop/segmenter_names.h"

namespace fcm::interop {
namespace {

using checkpoint::Checkpoint;
using formats::TensorView;

// The encoder's tensors under their pretraining names, without those that segmentation adds.
std::vector<TensorView> plain_encoder_of(std::span<const TensorView> tensors) {
  std::vector<TensorView> encoder;
  for (TensorView tensor : tensors) {
    const std::string_view name = tensor.name;
    const bool added = name.ends_with(".gamma_1") || name.ends_with(".gamma_2") ||
                       name.ends_with(kRelativeTable) || name.starts_with("backbone.fpn.");
    if (added || !name.starts_with(kSegmenterEncoder)) continue;
    tensor.name.erase(0, kSegmenterEncoder.size());
    encoder.push_back(std::move(tensor));
  }
  return encoder;
}

Architecture encoder_of_segmenter(std::span<const TensorView> tensors, const std::string& source) {
  const auto found = recognise(plain_encoder_of(tensors));
  const bool known = found && (found->kind == "conv_vit" || found->kind == "vit");
  if (!known || found->patches <= 0) {
    fail(
        ExitCode::kCheckpoint,
        "{} holds a segmenter on another encoder than this program has: expected "
        "backbone.patch_embed1.proj.weight (ConvMAE) or backbone.patch_embed.projection.weight and "
        "backbone.layers.0.ln1.weight (MAE), and backbone.pos_embed",
        source);
  }
  if (!found->foreign.empty()) fail(ExitCode::kCheckpoint, "{}: {}", source, found->foreign);
  return *found;
}

// Takes heads and grid from the first bias table. It has one column per head and (2 * rows - 1) *
// (2 * cols - 1) rows, plus three with a class token.
void take_table(const encoder::Shapes& shapes, const std::string& source,
                SegmenterArchitecture& found) {
  Architecture& encoder = found.encoder;
  const std::string blocks = encoder.kind == "vit" ? "blocks" : "blocks3";
  const std::string table = fmt::format("backbone.{}.0.attn.{}", blocks, kRelativeTable);
  if (!shapes.has(table, 2)) {
    fail(ExitCode::kCheckpoint,
         "{}: its attention has no relative positions ({}), which this program's segmenters have",
         source, table);
  }
  encoder.encoder.heads = shapes.at(table, 1);
  const auto side = std::llround(std::sqrt(static_cast<double>(encoder.patches)));
  const int64_t behind = encoder.class_token ? 3 : 0;
  if (side * side != encoder.patches || shapes.at(table, 0) != rows_of_table(side) + behind) return;
  found.rows = found.cols = side;
}

void take_upernet(const encoder::Shapes& shapes, const std::string& source,
                  SegmenterArchitecture& found) {
  const std::string classes(kSegmenterClasses);
  const std::string last = "decode_head.fpn_bottleneck.conv.weight",
                    second = "auxiliary_head.convs.0.conv.weight";
  if (!shapes.has(classes, 4) || !shapes.has(last, 4)) {
    fail(ExitCode::kCheckpoint,
         "{} holds a segmenter whose head is not a UperNet: expected {} and {}, of four dimensions",
         source, classes, last);
  }
  found.classes = shapes.at(classes, 0);
  found.channels = shapes.at(last, 0);
  if (shapes.has(second, 4)) found.aux_channels = shapes.at(second, 0);
}

bool sets_this(const std::vector<std::string>& overrides, std::string_view key) {
  return std::any_of(overrides.begin(), overrides.end(), [&](const std::string& assignment) {
    return assignment.starts_with(key) && assignment.substr(key.size()).starts_with("=");
  });
}

// The four blocks whose outputs are the maps: mmsegmentation's for depths 12 and 24, scaled for
// other depths.
std::vector<int64_t> taps_of(int64_t depth) {
  const auto before = [](int64_t count) { return std::max<int64_t>(count - 1, 0); };
  return {before(depth / 3), before(depth / 2), before((2 * depth + 2) / 3), before(depth)};
}

bool carries_recipe(const Checkpoint& checkpoint) { return checkpoint.state.contains("recipe"); }

recipe::Recipe recipe_of_sizes(const SegmenterArchitecture& found, const std::string& source) {
  recipe::Recipe recipe;
  recipe.row = {"published", fmt::format("sizes found in {}", source)};
  recipe.task = recipe::Segment{};
  recipe.model.kind = found.encoder.kind;
  recipe.encoder = found.encoder.encoder;
  const bool is_vit = found.encoder.kind == "vit";
  recipe.encoder.norm_epsilon = is_vit ? 1e-6 : 1e-5;
  recipe::SegmenterSection& section = recipe.segment().segmenter;
  section.classes = found.classes;
  section.channels = found.channels;
  if (found.aux_channels > 0) section.aux_channels = found.aux_channels;
  if (is_vit) section.taps = taps_of(recipe.encoder.depths.back());
  recipe.data.channels = found.encoder.channels;
  const int64_t patch = recipe.encoder.patch_side(), rows = found.rows * patch,
                cols = found.cols * patch;
  if (rows == 0) return recipe;
  recipe.data.image_size = {rows, cols};
  // Scales upstream's values: windows of 512 pixels with stride 341, images fit into 2048 x 512.
  section.stride = {rows * 2 / 3, cols * 2 / 3};
  recipe.segment().pipeline.scale = {4 * rows, rows};
  return recipe;
}

}  // namespace

SegmenterArchitecture segmenter_architecture(std::span<const TensorView> tensors,
                                             const std::string& source) {
  encoder::Shapes shapes;
  for (const TensorView& tensor : tensors) shapes.add(tensor.name, tensor.shape);
  SegmenterArchitecture found;
  found.encoder = encoder_of_segmenter(tensors, source);
  take_table(shapes, source, found);
  take_upernet(shapes, source, found);
  return found;
}

recipe::Recipe segmenter_recipe(const Checkpoint& checkpoint,
                                const std::vector<std::string>& overrides) {
  const std::string source = checkpoint.path.string();
  if (carries_recipe(checkpoint)) {
    const auto text = checkpoint.state.at("recipe").get<std::string>();
    if (!recipe::recipe_for_task_of(text, source).is<recipe::Segment>()) {
      fail(ExitCode::kCheckpoint, "{} has a segmenter's weights, but another task's recipe",
           source);
    }
    return recipe::read_stored_recipe(text, source, overrides);
  }
  const SegmenterArchitecture found = segmenter_architecture(checkpoint.model.tensors, source);
  if (found.rows == 0 && !sets_this(overrides, "data.image_size")) {
    fail(ExitCode::kUsage,
         "{}: its {} patches are not a square, so the size of its windows is unknown; give it with "
         "--set data.image_size=[ROWS,COLUMNS]",
         source, found.encoder.patches);
  }
  return recipe::read_recipe(recipe::print_recipe(recipe_of_sizes(found, source)), source,
                             overrides);
}

std::vector<std::string> segmenter_assumptions(const Checkpoint& checkpoint,
                                               const std::vector<std::string>& overrides) {
  if (carries_recipe(checkpoint)) return {};
  const recipe::Recipe recipe = segmenter_recipe(checkpoint, overrides);
  const bool is_vit = recipe.model.kind == "vit";
  const recipe::SegmenterSection& section = recipe.segment().segmenter;
  const auto& pipeline = recipe.segment().pipeline;
  std::vector<std::string> found;
  const auto assume = [&](std::string_view key, std::string sentence) {
    if (!sets_this(overrides, key)) found.push_back(std::move(sentence));
  };
  assume("encoder.norm_epsilon",
         fmt::format("encoder.norm_epsilon = {}, as in {} (--set encoder.norm_epsilon=X)",
                     recipe.encoder.norm_epsilon,
                     is_vit ? "mmsegmentation's MAE" : "ConvMAE's segmentation"));
  if (is_vit) {
    assume("segmenter.taps",
           fmt::format("segmenter.taps = [{}], the blocks whose outputs are the four maps (--set "
                       "segmenter.taps=[A,B,C,D])",
                       fmt::join(section.taps, ", ")));
  }
  assume("pipeline.scale",
         fmt::format("pipeline.scale = [{}] and segmenter.stride = [{}], as in ADE20K's recipes "
                     "(--set KEY=[A,B])",
                     fmt::join(pipeline.scale, ", "), fmt::join(section.stride, ", ")));
  assume("pipeline.reduce_zero_label",
         fmt::format("pipeline.reduce_zero_label = {}: 0 in label maps means no label, as in "
                     "ADE20K (--set pipeline.reduce_zero_label=false)",
                     pipeline.reduce_zero_label));
  return found;
}

}  // namespace fcm::interop
