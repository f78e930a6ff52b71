#include "fcm/recipe/check.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/config/recipe_io.h"
#include "fcm/encoder/registry.h"
#include "fcm/masks/view_plan.h"

namespace fcm::recipe {
namespace {

std::string list(const std::vector<int64_t>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

// Collects all faults, so that one message shows them together.
class Faults {
 public:
  template <typename... Args>
  void unless(bool holds, fmt::format_string<Args...> format, Args&&... args) {
    if (!holds) lines_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  void add(const std::string& line) { lines_.push_back(line); }
  void throw_if_any() const {
    if (!lines_.empty()) fail(ExitCode::kUsage, "{}", fmt::join(lines_, "\n"));
  }

 private:
  std::vector<std::string> lines_;
};

// Requires that every list of [encoder] has one element per stage. Returns whether that holds;
// other rules rely on it.
bool check_stages(const Recipe& recipe, Faults& faults) {
  const encoder::EncoderOptions& options = recipe.encoder;
  const size_t fixed = encoder::family(recipe.model.kind).stages;
  const size_t stages = fixed == 0 ? options.strides.size() : fixed;
  bool all = true;
  const auto counted = [&](const char* key, size_t elements) {
    all = all && elements == stages;
    faults.unless(
        elements == stages,
        "encoder.{} has {} element{}, but an encoder of model.kind = \"{}\" has {} stage{}", key,
        elements, elements == 1 ? "" : "s", recipe.model.kind, stages, stages == 1 ? "" : "s");
  };
  counted("strides", options.strides.size());
  counted("dims", options.dims.size());
  counted("depths", options.depths.size());
  counted("mlp_ratios", options.mlp_ratios.size());
  return all;
}

void check_named_size(const Recipe& recipe, Faults& faults) {
  const encoder::EncoderOptions& options = recipe.encoder;
  if (options.size == "custom") return;
  if (options.size == "checkpoint") {  // the other keys are used only with --from-scratch
    faults.unless(!recipe.is<Pretrain>(),
                  "encoder.size = \"checkpoint\" is for finetune and linprobe, which start from a "
                  "checkpoint; pretraining needs a named size, or \"custom\"");
    return;
  }
  encoder::EncoderOptions named, given = options;
  try {
    named = encoder::named_size(recipe.model.kind, options.size);
  } catch (const Error& error) {
    faults.add(error.what());
    return;
  }
  config::internal::Collector expected, actual;
  expected.section("encoder", named);
  actual.section("encoder", given);
  for (size_t i = 0; i < expected.fields.size(); ++i) {
    const std::string& key = expected.fields[i].key;
    // Two keys may differ from the named size: a Swin's window, because it depends on the image
    // size; and norm_epsilon, of a Swin because it depends on the pretraining, and of a segmenter
    // because upstream's ConvViT segmenter uses another value than pretraining.
    const bool is_swin = recipe.model.kind == "swin";
    const bool goes_with_more = (key == "window" && is_swin) ||
                                (key == "norm_epsilon" && (is_swin || recipe.is<Segment>()));
    if (key == "size" || goes_with_more) continue;
    const std::string want = value_of(expected.fields[i]), have = value_of(actual.fields[i]);
    faults.unless(want == have,
                  "{} = {}, but encoder.size = \"{}\" means {}; write that, or encoder.size = "
                  "\"custom\"",
                  actual.fields[i].name(), have, options.size, want);
  }
}

// A position embedding has four equal parts, the sine and the cosine of the row and of the column,
// so its width must be divisible by 4.
void check_width(const char* section, const char* dim_key, int64_t dim, int64_t heads,
                 Faults& faults) {
  faults.unless(dim % 4 == 0, "{} = {} must be divisible by 4, for the sine-cosine positions",
                dim_key, dim);
  faults.unless(dim % heads == 0, "{} = {} must be divisible by {}.heads = {}", dim_key, dim,
                section, heads);
}

// Rules for the keys of the cross decoder, in which hidden patches do not attend to each other.
void check_cross(const decoder::DecoderOptions& decoder, const encoder::Family& family,
                 Faults& faults) {
  if (!decoder.cross()) {
    faults.unless(
        decoder.share == 1,
        "decoder.share = {} is for decoder.kind = \"cross\": a \"{}\" decoder predicts all hidden "
        "patches; write 1",
        decoder.share, decoder.kind);
    faults.unless(decoder.reads == "latent",
                  "decoder.reads = \"{}\" is for decoder.kind = \"cross\", not for \"{}\"; write "
                  "\"latent\"",
                  decoder.reads, decoder.kind);
    return;
  }
  faults.unless(
      family.positions,
      "decoder.kind = \"cross\" needs a conv_vit or a vit, not model.kind = \"{}\", whose stages "
      "differ in width; use \"transformer\"",
      family.kind);
  faults.unless(
      decoder.depth > 0,
      "decoder.depth = 0 with decoder.kind = \"cross\": hidden patches would see nothing; "
      "use 1 or more");
}

void check_decoder(const Recipe& recipe, const encoder::Family& family, Faults& faults) {
  const Pretrain& task = recipe.pretrain();
  const decoder::DecoderOptions& decoder = task.decoder;
  check_cross(decoder, family, faults);
  if (!decoder.linear()) {
    check_width("decoder", "decoder.dim", decoder.dim, decoder.heads, faults);
    faults.unless(decoder.kind != "transformer_shuffled" || task.masks.views.count == 1,
                  "decoder.kind = \"{}\" is for masks.views = 1, as in GreenMIM", decoder.kind);
    return;
  }
  faults.unless(
      family.mask_tokens,
      "decoder.kind = \"linear\" needs an encoder that sees mask tokens, which model.kind = "
      "\"{}\" does not; use \"transformer\"",
      family.kind);
  faults.unless(
      task.masks.views.count == 1,
      "decoder.kind = \"linear\" is for masks.views = 1: the encoder sees the whole image");
  faults.unless(
      task.targets.mimic == "none",
      "decoder.kind = \"linear\" and targets.mimic = \"{}\": mimic needs an encoder that sees "
      "only visible patches; write \"none\"",
      task.targets.mimic);
}

void check_image(const Recipe& recipe, Faults& faults) {
  const loader::DataOptions& data = recipe.data;
  faults.unless(data.channels == 1 || data.channels == 3,
                "data.channels = {} must be 1 (grey) or 3 (RGB)", data.channels);
  const auto channels = static_cast<size_t>(data.channels);
  faults.unless(data.mean.size() == channels, "data.mean has {} elements, but data.channels = {}",
                data.mean.size(), channels);
  faults.unless(data.stddev.size() == channels,
                "data.deviation has {} elements, but data.channels = {}", data.stddev.size(),
                channels);
  faults.unless(data.crop_scale[0] <= data.crop_scale[1],
                "data.crop_scale = [{}, {}] must have the smaller share first", data.crop_scale[0],
                data.crop_scale[1]);
  faults.unless(data.crop_ratio[0] <= data.crop_ratio[1],
                "data.crop_ratio = [{}, {}] must have the smaller ratio first", data.crop_ratio[0],
                data.crop_ratio[1]);

  const int64_t side = recipe.encoder.patch_side();
  const bool whole = data.image_size[0] % side == 0 && data.image_size[1] % side == 0;
  faults.unless(whole,
                "data.image_size = {} must be divisible by {}, the side of a patch (the product "
                "of encoder.strides = {})",
                list(data.image_size), side, list(recipe.encoder.strides));
  if (!whole) return;
  try {
    const int64_t patches = data.image_size[0] / side * (data.image_size[1] / side);
    const masks::MaskOptions masks = pretraining_of(recipe).pretrain().masks;
    masks::kept_views(masks::view_sizes(patches, masks), masks);
  } catch (const Error& error) {
    faults.add(error.what());
  }
}

void check_targets(const Recipe& recipe, Faults& faults) {
  const Pretrain& task = recipe.pretrain();
  const targets::TargetOptions& options = task.targets;
  const std::vector<std::string> names = options.reconstructed();
  faults.unless(!names.empty(),
                "targets.rgb, targets.clip, targets.dino and targets.ema are all 0, so there is "
                "nothing to reconstruct; give one of them a weight");
  const auto branches = static_cast<int64_t>(names.size());
  faults.unless(branches < 2 || task.decoder.linear() ||
                    branches * task.decoder.independent_blocks <= task.decoder.depth,
                "decoder.independent_blocks = {} for each of {} targets exceed decoder.depth = {}, "
                "which includes them",
                task.decoder.independent_blocks, branches, task.decoder.depth);
  faults.unless(options.mimic == "none" || options.mimic_weight > 0,
                "targets.mimic = \"{}\" with targets.mimic_weight = 0; write \"none\"",
                options.mimic);
  const bool averages = options.last_blocks > 1;
  const auto check_depth = [&](const std::string& who, int64_t depth) {
    faults.unless(options.last_blocks <= depth,
                  "targets.last_blocks = {}, but {} has {} transformer blocks", options.last_blocks,
                  who, depth);
  };
  for (const std::string& name : options.features()) {
    if (name == "ema") {
      if (averages) check_depth("the encoder", recipe.encoder.depths.back());
      continue;
    }
    faults.unless(recipe.data.channels == 3,
                  "data.channels = {}, but the tower of targets.{} sees RGB; write 3",
                  recipe.data.channels, name);
    faults.unless(name != "clip" || !averages || options.clip_feature == "tokens",
                  "targets.last_blocks = {} averages the outputs of blocks, so "
                  "targets.clip_feature = \"{}\" must be \"tokens\"",
                  options.last_blocks, options.clip_feature);
    const bool projected = name == "clip" && options.clip_feature == "projected";
    faults.unless(!projected || targets::feature_dim(options, name, 0) > 0,
                  "targets.clip_feature = \"projected\", but {} has no projection of its patches; "
                  "write \"tokens\"",
                  options.clip_tower);
    if (averages) {
      check_depth("the tower of targets." + name,
                  targets::tower_options(options, name, 1, 1).depth);
    }
  }
}

void check_optimisation(const optim::OptimOptions& optim, Faults& faults) {
  faults.unless(optim.micro_batch <= optim.batch_size,
                "optim.micro_batch = {} is larger than optim.batch_size = {}", optim.micro_batch,
                optim.batch_size);
  faults.unless(optim.schedule == "drops" || optim.drop_epochs.empty(),
                "optim.drop_epochs is for optim.schedule = \"drops\", not for \"{}\"; write []",
                optim.schedule);
  faults.unless(optim.warmup_lr <= optim.base_lr,
                "optim.warmup_lr = {} is more than optim.base_lr = {}, where warm-up ends",
                optim.warmup_lr, optim.base_lr);
  faults.unless(optim.schedule == "step_drops" || optim.drop_steps.empty(),
                "optim.drop_steps is for optim.schedule = \"step_drops\", not for \"{}\"; write []",
                optim.schedule);
  faults.unless(optim.steps == 0 || optim.warmup_steps <= static_cast<double>(optim.steps),
                "optim.warmup_steps = {} is more than optim.steps = {}", optim.warmup_steps,
                optim.steps);
  const bool by_steps = optim.goes_by_steps();
  faults.unless((optim.steps == 0 && optim.warmup_steps == 0) || by_steps,
                "optim.steps = {} and optim.warmup_steps = {} are for schedules by steps (poly, "
                "step_cosine, step_drops), not for optim.schedule = \"{}\": write 0",
                optim.steps, optim.warmup_steps, optim.schedule);
  faults.unless(!by_steps || (optim.warmup_epochs == 0 && optim.min_lr == 0),
                "optim.schedule = \"{}\" warms up for optim.warmup_steps and has no optim.min_lr: "
                "write optim.warmup_epochs = 0 and optim.min_lr = 0, not {} and {}",
                optim.schedule, optim.warmup_epochs, optim.min_lr);
  faults.unless(optim.steps > 0 || optim.warmup_epochs <= optim.epochs,
                "optim.warmup_epochs = {} is more than optim.epochs = {}", optim.warmup_epochs,
                optim.epochs);
  faults.unless(optim.min_lr <= optim.lr(),
                "optim.min_lr = {} is more than the learning rate {} (optim.base_lr = {} times "
                "optim.batch_size = {} over 256)",
                optim.min_lr, optim.lr(), optim.base_lr, optim.batch_size);
  faults.unless(optim.beta1 < 1, "optim.beta1 = {} must be less than 1", optim.beta1);
  faults.unless(optim.beta2 < 1, "optim.beta2 = {} must be less than 1", optim.beta2);
}

// Refuses options that have no effect on, or are not part of, a linear probe of a frozen encoder.
void check_head(const Recipe& recipe) {
  const ClassifierSection& classifier = recipe.classify().classifier;
  const loader::AugmentOptions& augment = recipe.classify().augment;
  if (classifier.learns != "head") return;
  const bool plain = classifier.drop_path == 0 && classifier.layer_decay == 1 &&
                     classifier.ema_decay == 0 && recipe.optim.clip_norm == 0 &&
                     augment.smoothing == 0 && !augment.mixes() && augment.erasing == 0;
  if (plain) return;
  fail(
      ExitCode::kUsage,
      "classifier.learns = \"head\" is the published linear probe: classifier.drop_path, "
      "classifier.ema_decay, optim.clip_norm, augment.smoothing, augment.mixup, augment.cutmix and "
      "augment.erasing must be 0, and classifier.layer_decay 1");
}

void check_classification(const Recipe& recipe) {
  if (recipe.classify().augment.mixes() && recipe.optim.batch_size % 2 != 0) {
    fail(ExitCode::kUsage,
         "optim.batch_size = {} must be even: augment.mixup and augment.cutmix mix images in "
         "pairs",
         recipe.optim.batch_size);
  }
  check_head(recipe);
}

// What a segmenter requires of its encoder.
void check_segmenters_encoder(const Recipe& recipe, Faults& faults) {
  const SegmenterSection& segmenter = recipe.segment().segmenter;
  const std::string& kind = recipe.model.kind;
  faults.unless(
      kind != "swin",
      "model.kind = \"swin\": there is no published segmenter on a Swin; use conv_vit or vit");
  const bool is_vit = kind == "vit";
  faults.unless(segmenter.taps.size() == (is_vit ? 4 : 0),
                "segmenter.taps = {} names {} blocks, but model.kind = \"{}\" needs {}",
                list(segmenter.taps), segmenter.taps.size(), kind,
                is_vit ? "four" : "none: its stages are the feature maps");
  for (const int64_t tap : segmenter.taps) {
    faults.unless(tap < recipe.encoder.depths.back(),
                  "segmenter.taps = {}: the encoder has {} blocks, the last is {}",
                  list(segmenter.taps), recipe.encoder.depths.back(),
                  recipe.encoder.depths.back() - 1);
  }
  faults.unless(!is_vit || recipe.encoder.patch_side() == 16,
                "encoder.strides = {}, but a ViT segmenter needs patches of 16 pixels",
                list(recipe.encoder.strides));
}

void check_segmentation(const Recipe& recipe, Faults& faults) {
  // An encoder from a checkpoint is checked once that checkpoint has been read.
  if (recipe.encoder.size != "checkpoint") check_segmenters_encoder(recipe, faults);
  faults.unless(recipe.data.channels == 3,
                "data.channels = {}, but segmentation needs RGB images: write 3",
                recipe.data.channels);
  const SegmenterSection& segmenter = recipe.segment().segmenter;
  const loader::PipelineOptions& pipeline = recipe.segment().pipeline;
  faults.unless(pipeline.ratio_range[0] <= pipeline.ratio_range[1],
                "pipeline.ratio_range = [{}, {}] must have the smaller number first",
                pipeline.ratio_range[0], pipeline.ratio_range[1]);
  for (size_t i = 0; i < segmenter.stride.size(); ++i) {
    faults.unless(segmenter.stride[i] <= recipe.data.image_size[i],
                  "segmenter.stride = {} leaves gaps between windows of data.image_size = {}",
                  list(segmenter.stride), list(recipe.data.image_size));
  }
}

// What a detector requires of its encoder.
void check_detectors_encoder(const Recipe& recipe, Faults& faults) {
  const DetectorSection& detector = recipe.detect().detector;
  const std::string& kind = recipe.model.kind;
  const int64_t depth = recipe.encoder.depths.back(), side = recipe.encoder.patch_side();
  faults.unless(detector.form == "shared_tables" || kind == "conv_vit",
                "detector.form = \"{}\" is for model.kind = \"conv_vit\", not for \"{}\"",
                detector.form, kind);
  if (kind == "swin") {
    faults.unless(detector.window == 0 && detector.global_blocks.empty(),
                  "detector.window = {} and detector.global_blocks = {}, but all blocks of a Swin "
                  "attend in windows of encoder.window: write 0 and []",
                  detector.window, list(detector.global_blocks));
    return;
  }
  faults.unless(detector.window > 0, "detector.window = 0 is only for model.kind = \"swin\"");
  faults.unless(std::is_sorted(detector.global_blocks.begin(), detector.global_blocks.end()),
                "detector.global_blocks = {} must be in ascending order",
                list(detector.global_blocks));
  for (const int64_t block : detector.global_blocks) {
    faults.unless(block < depth,
                  "detector.global_blocks = {}: the transformer has {} blocks, the last is {}",
                  list(detector.global_blocks), depth, depth - 1);
  }
  const int64_t cell = side * std::max<int64_t>(detector.window, 1);
  faults.unless(detector.form == "decomposed" || recipe.data.image_size[0] % cell == 0,
                "data.image_size = {} must be divisible by {}: windows of detector.window = {} "
                "patches of {} pixels",
                list(recipe.data.image_size), cell, detector.window, side);
}

void check_detection(const Recipe& recipe, Faults& faults) {
  // An encoder from a checkpoint is checked once that checkpoint has been read.
  if (recipe.encoder.size != "checkpoint") check_detectors_encoder(recipe, faults);
  const loader::DataOptions& data = recipe.data;
  faults.unless(data.channels == 3, "data.channels = {}, but detectors need RGB images: write 3",
                data.channels);
  faults.unless(data.image_size[0] == data.image_size[1],
                "data.image_size = {}, but frames of detectors are square", list(data.image_size));
  const std::vector<double>& scale = recipe.detect().jitter.scale_range;
  faults.unless(scale[0] <= scale[1],
                "jitter.scale_range = [{}, {}] must have the smaller number first", scale[0],
                scale[1]);
}

// Rules for the keys of [run] that only some tasks use.
void check_run(const Recipe& recipe, Faults& faults) {
  const RunOptions& run = recipe.run;
  if (recipe.is<Pretrain>()) {
    faults.unless(run.measure_every_steps == 0,
                  "run.measure_every_steps = {} is for finetune; pretraining has "
                  "run.knn_every_epochs and run.probe_every_epochs: write 0",
                  run.measure_every_steps);
    return;
  }
  faults.unless(
      run.knn_every_epochs == 0 && run.probe_every_epochs == 0,
      "run.knn_every_epochs = {} and run.probe_every_epochs = {} are for pretraining; finetune "
      "measures the model it trains: write 0",
      run.knn_every_epochs, run.probe_every_epochs);
  faults.unless(run.images_every_steps == 0 || !recipe.is<Classify>(),
                "run.pictures_every_steps = {} must be 0 for a classifier, which has nothing to "
                "draw",
                run.images_every_steps);
}

}  // namespace

void check(const Recipe& recipe) {
  Recipe copy = recipe;                           // `visit` hands out writable references
  config::check_values(config::fields_of(copy));  // the rules below rely on ranges

  Faults faults;
  check_named_size(recipe, faults);
  if (!check_stages(recipe, faults)) faults.throw_if_any();
  const encoder::Family& family = encoder::family(recipe.model.kind);
  if (family.positions) {
    check_width("encoder", "the last of encoder.dims", recipe.encoder.dims.back(),
                recipe.encoder.heads.last(), faults);
    faults.unless(recipe.encoder.heads.values.size() == 1 && recipe.encoder.window == 0,
                  "encoder.heads = {} and encoder.window = {}, but model.kind = \"{}\" needs one "
                  "number of heads and encoder.window = 0",
                  list(recipe.encoder.heads.values), recipe.encoder.window, family.kind);
  }
  if (recipe.is<Pretrain>()) check_decoder(recipe, family, faults);
  for (const std::string& fault : family.option_errors(recipe.encoder)) {
    faults.add(fault);
  }
  check_image(recipe, faults);
  if (recipe.is<Pretrain>()) check_targets(recipe, faults);
  if (recipe.is<Segment>()) check_segmentation(recipe, faults);
  if (recipe.is<Detect>()) check_detection(recipe, faults);
  check_run(recipe, faults);
  check_optimisation(recipe.optim, faults);
  faults.throw_if_any();
  if (recipe.is<Classify>()) check_classification(recipe);
}

void check_pretraining(const Recipe& recipe) {
  check(recipe);
  const int64_t side = recipe.encoder.patch_side();
  const int64_t patches = recipe.data.image_size[0] / side * (recipe.data.image_size[1] / side);
  const masks::MaskOptions& masks = recipe.pretrain().masks;
  if (masks::view_sizes(patches, masks).front() < patches) return;
  fail(ExitCode::kUsage,
       "masks.ratio = {} hides nothing: the only view sees all {} patches; use 1/3 or more",
       masks.ratio, patches);
}

}  // namespace fcm::recipe
