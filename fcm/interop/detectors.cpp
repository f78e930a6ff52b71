#include "fcm/interop/detectors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/encoder/names.h"

namespace fcm::interop {
namespace {

using checkpoint::Checkpoint;
using formats::TensorView;

constexpr const char* kWindowTable =
    "backbone.bottom_up.windowed_rel_pos_bias.relative_position_bias_table";
constexpr const char* kGlobalTable =
    "backbone.bottom_up.global_rel_pos_bias.relative_position_bias_table";
constexpr int64_t kDecomposedWindow = 14;  // upstream's value, not inferred from the tensors

// The encoder's tensors under their pretraining names, without the bias tables that detection adds.
std::vector<TensorView> encoder_tensors_of(std::span<const TensorView> tensors,
                                           std::string_view prefix) {
  std::vector<TensorView> encoder;
  for (TensorView tensor : tensors) {
    const std::string_view name = tensor.name;
    const bool added = name.find("_rel_pos_bias.") != name.npos || name.ends_with(".rel_pos_h") ||
                       name.ends_with(".rel_pos_w");
    if (added || !name.starts_with(prefix)) continue;
    tensor.name.erase(0, prefix.size());
    encoder.push_back(std::move(tensor));
  }
  return encoder;
}

Architecture encoder_of_detector(std::span<const TensorView> tensors, std::string_view prefix,
                                 const std::string& source) {
  const auto found = recognise(encoder_tensors_of(tensors, prefix));
  if (!found) {
    fail(ExitCode::kCheckpoint,
         "{} holds a detector on another encoder than this program has: expected "
         "{}patch_embed1.proj.weight (ConvMAE) or {}patch_embed.proj.weight (MAE, Swin)",
         source, prefix, prefix);
  }
  // A detector's ViT has no class token; any other ViT without one is foreign.
  const bool bare_vit = found->kind == "vit" && !found->class_token;
  if (!bare_vit && !found->foreign.empty()) {
    fail(ExitCode::kCheckpoint, "{}: {}", source, found->foreign);
  }
  return *found;
}

// Takes heads, and with shared tables window and grid, from the shapes of the bias tables. A Swin
// has neither kind of table.
void take_tables(const encoder::Shapes& shapes, DetectorArchitecture& found) {
  Architecture& encoder = found.encoder;
  const std::string rows = fmt::format("{}blocks3.0.attn.rel_pos_h", kDecomposedEncoder);
  if (found.decomposed && shapes.has(rows, 2)) {
    encoder.encoder.heads = encoder.encoder.dims.back() / std::max<int64_t>(1, shapes.at(rows, 1));
    found.window = kDecomposedWindow;
  }
  if (shapes.has(kWindowTable, 2)) {
    encoder.encoder.heads = shapes.at(kWindowTable, 1);
    found.window = window_of_table(shapes.at(kWindowTable, 0));
  }
  const auto side = std::llround(std::sqrt(static_cast<double>(encoder.patches)));
  const bool square = side > 0 && side * side == encoder.patches && shapes.has(kGlobalTable, 2) &&
                      shapes.at(kGlobalTable, 0) == rows_of_table(side);
  if (square) found.rows = found.cols = side;
}

void take_heads(const encoder::Shapes& shapes, const std::string& source,
                DetectorArchitecture& found) {
  const std::string classes(kDetectorClasses), fc1 = "roi_heads.box_head.fc1.weight",
                                               mask = "roi_heads.mask_head.mask_fcn1.weight";
  for (const auto& [name, dimensions] :
       {std::pair{classes, 2}, std::pair{fc1, 2}, std::pair{mask, 4}}) {
    if (shapes.has(name, static_cast<size_t>(dimensions))) continue;
    fail(ExitCode::kCheckpoint,
         "{} holds a detector whose heads are not those of this program's Mask R-CNN: expected "
         "{}, of {} dimensions",
         source, name, dimensions);
  }
  found.classes = shapes.at(classes, 0) - 1;
  found.box_features = shapes.at(fc1, 0);
  found.channels = shapes.at(mask, 1);
}

bool is_set(const std::vector<std::string>& overrides, std::string_view key) {
  return std::any_of(overrides.begin(), overrides.end(), [&](const std::string& assignment) {
    return assignment.starts_with(key) && assignment.substr(key.size()).starts_with("=");
  });
}

bool has_own_recipe(const Checkpoint& checkpoint) { return checkpoint.state.contains("recipe"); }

// None for a Swin; upstream's for a ConvViT of depth 11; otherwise the last block of each quarter.
std::vector<int64_t> global_blocks_of(const DetectorArchitecture& found) {
  const std::string& kind = found.encoder.kind;
  const int64_t depth = found.encoder.encoder.depths.back();
  if (kind == "swin") return {};
  if (kind == "conv_vit" && depth == 11) {
    if (found.decomposed) return {1, 4, 7, 10};
    return {0, 3, 6, 10};
  }
  std::vector<int64_t> blocks;
  for (int64_t quarter = 1; quarter <= 4; ++quarter) {
    const int64_t block = std::max<int64_t>(depth * quarter / 4 - 1, 0);
    if (blocks.empty() || blocks.back() < block) blocks.push_back(block);
  }
  return blocks;
}

recipe::Recipe recipe_of_detector(const DetectorArchitecture& found, const std::string& source) {
  recipe::Recipe recipe;
  recipe.row = {"published", fmt::format("sizes found in {}", source)};
  recipe.task = recipe::Detect{};
  recipe.model.kind = found.encoder.kind;
  recipe.encoder = found.encoder.encoder;
  recipe.encoder.norm_epsilon = found.encoder.kind == "swin" ? 1e-5 : 1e-6;
  recipe::DetectorSection& section = recipe.detect().detector;
  section.classes = found.classes;
  section.form = found.decomposed ? "decomposed" : "shared_tables";
  section.window = found.window;
  section.global_blocks = global_blocks_of(found);
  section.channels = found.channels;
  section.box_features = found.box_features;
  recipe.data.channels = found.encoder.channels;
  recipe.data.interpolation = "bilinear";
  const int64_t side = found.rows * recipe.encoder.patch_side();
  constexpr int64_t kPublishedSide = 1024;
  recipe.data.image_size =
      side > 0 ? std::vector{side, side} : std::vector{kPublishedSide, kPublishedSide};
  return recipe;
}

}  // namespace

DetectorArchitecture detector_architecture(std::span<const TensorView> tensors,
                                           const std::string& source) {
  encoder::Shapes shapes;
  bool decomposed = false;
  for (const TensorView& tensor : tensors) {
    shapes.add(tensor.name, tensor.shape);
    decomposed = decomposed || tensor.name.starts_with(kDecomposedEncoder);
  }
  DetectorArchitecture found;
  found.decomposed = decomposed;
  found.encoder =
      encoder_of_detector(tensors, decomposed ? kDecomposedEncoder : kDetectorEncoder, source);
  take_tables(shapes, found);
  take_heads(shapes, source, found);
  return found;
}

bool is_detector(const Checkpoint& checkpoint) { return are_of_detector(checkpoint.model.tensors); }

recipe::Recipe detector_recipe(const Checkpoint& checkpoint,
                               const std::vector<std::string>& overrides) {
  const std::string source = checkpoint.path.string();
  if (has_own_recipe(checkpoint)) {
    const auto text = checkpoint.state.at("recipe").get<std::string>();
    if (!recipe::recipe_for_task_of(text, source).is<recipe::Detect>()) {
      fail(ExitCode::kCheckpoint, "{} has a detector's weights, but another task's recipe", source);
    }
    return recipe::read_stored_recipe(text, source, overrides);
  }
  const DetectorArchitecture found = detector_architecture(checkpoint.model.tensors, source);
  return recipe::read_recipe(recipe::print_recipe(recipe_of_detector(found, source)), source,
                             overrides);
}

std::vector<std::string> detector_assumptions(const Checkpoint& checkpoint,
                                              const std::vector<std::string>& overrides) {
  if (has_own_recipe(checkpoint)) return {};
  const recipe::Recipe recipe = detector_recipe(checkpoint, overrides);
  const recipe::DetectorSection& section = recipe.detect().detector;
  std::vector<std::string> found;
  const auto assume = [&](std::string_view key, std::string sentence) {
    if (!is_set(overrides, key)) found.push_back(std::move(sentence));
  };
  if (recipe.model.kind != "swin") {
    assume("detector.global_blocks",
           fmt::format("detector.global_blocks = [{}], the blocks that attend over the whole "
                       "image (--set detector.global_blocks=[A,B,...])",
                       fmt::join(section.global_blocks, ", ")));
  }
  if (section.form == "decomposed") {
    assume("detector.window",
           fmt::format("detector.window = {} (--set detector.window=N)", section.window));
  }
  assume("data.image_size",
         fmt::format("data.image_size = [{}], the frame to which images are padded (--set "
                     "data.image_size=[N,N])",
                     fmt::join(recipe.data.image_size, ", ")));
  return found;
}

}  // namespace fcm::interop
