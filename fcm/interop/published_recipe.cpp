#include "fcm/interop/published_recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/encoder/registry.h"
#include "fcm/interop/facts.h"
#include "fcm/optim/schedule.h"

namespace fcm::interop {
namespace {

using nlohmann::json;

bool sets(const std::vector<std::string>& overrides, std::string_view key) {
  return std::any_of(overrides.begin(), overrides.end(), [&](const std::string& assignment) {
    return assignment.starts_with(key) && assignment.substr(key.size()).starts_with("=");
  });
}

config::OneOrMore encoder_heads(const Architecture& architecture,
                                const std::vector<std::string>& overrides,
                                const std::string& source) {
  // A Swin's bias tables have one column per head.
  if (architecture.kind == "swin") return architecture.encoder.heads;
  for (const encoder::EncoderOptions& named : encoder::family(architecture.kind).sizes) {
    if (named.dims == architecture.encoder.dims) return named.heads;
  }
  const int64_t dim = architecture.encoder.dims.back();
  // The so400m, giant and gigantic ViTs.
  constexpr std::array<int64_t, 3> kSixteen = {1152, 1408, 1664};
  if (std::find(kSixteen.begin(), kSixteen.end(), dim) != kSixteen.end()) return 16;
  if (dim % 64 == 0) return dim / 64;
  if (!sets(overrides, "encoder.heads")) {
    fail(ExitCode::kUsage,
         "{}: its encoder has {} channels, which do not determine the number of attention heads; "
         "give it with --set encoder.heads=N",
         source, dim);
  }
  return 1;
}

// The size of images whose last stage is exactly one window, as the bias tables imply.
std::vector<int64_t> swin_image_size(const Architecture& architecture) {
  const int64_t side = architecture.encoder.window * architecture.encoder.patch_side();
  return {side, side};
}

int64_t decoder_heads(int64_t dim, const std::vector<std::string>& overrides,
                      const std::string& source) {
  constexpr int64_t kPublished = 16;
  if (dim % kPublished == 0) return kPublished;
  if (!sets(overrides, "decoder.heads")) {
    fail(ExitCode::kUsage,
         "{}: its decoder has {} channels, not a multiple of upstream's 16 attention heads; give "
         "their number with --set decoder.heads=N",
         source, dim);
  }
  return 1;
}

std::vector<int64_t> image_size(const Architecture& architecture,
                                const std::vector<std::string>& overrides,
                                const std::string& source) {
  constexpr int64_t kPublished = 224;
  if (architecture.kind == "swin") return swin_image_size(architecture);
  if (architecture.patches <= 0) return {kPublished, kPublished};
  const auto side = std::llround(std::sqrt(static_cast<double>(architecture.patches)));
  if (side * side != architecture.patches && !sets(overrides, "data.image_size")) {
    fail(ExitCode::kUsage,
         "{}: {} patches are not a square, so the image's size is unknown; give it with --set "
         "data.image_size=[ROWS,COLUMNS]",
         source, architecture.patches);
  }
  return {side * architecture.encoder.patch_side(), side * architecture.encoder.patch_side()};
}

// ImageNet's mean and std are for RGB images; no such values are in common use for grey images.
void refuse_unknown_mean(const Architecture& architecture,
                         const std::vector<std::string>& overrides, const std::string& source) {
  if (architecture.channels != 1) return;
  if (sets(overrides, "data.mean") && sets(overrides, "data.deviation")) return;
  fail(ExitCode::kUsage,
       "{}: it reads grey images (its patch embedding has 1 input channel), and nothing says with "
       "which mean and std it was trained; give both with --set data.mean=[M] --set "
       "data.deviation=[S], often 0.5 and 0.5",
       source);
}

// Sets `field` if the arguments have a value of the field's type.
void take(const json& args, const char* key, bool& field) {
  const auto found = args.find(key);
  if (found != args.end() && found->is_boolean()) found->get_to(field);
}
void take(const json& args, const char* key, double& field) {
  const auto found = args.find(key);
  if (found != args.end() && found->is_number()) found->get_to(field);
}
void take(const json& args, const char* key, int64_t& field) {
  constexpr int64_t kMost = 1 << 20;  // products of three stay in range
  const auto found = args.find(key);
  if (found == args.end() || !found->is_number_integer()) return;
  const auto value = found->get<int64_t>();
  if (value >= 0 && value <= kMost) field = value;
}

void take_args(const json& args, recipe::Recipe& recipe) {
  if (!args.is_object()) return;
  take(args, "norm_pix_loss", recipe.pretrain().targets.norm_pix);
  take(args, "mask_ratio", recipe.pretrain().masks.ratio);
  take(args, "epochs", recipe.optim.epochs);
  take(args, "warmup_epochs", recipe.optim.warmup_epochs);
  take(args, "min_lr", recipe.optim.min_lr);
  take(args, "weight_decay", recipe.optim.weight_decay);
  take(args, "seed", recipe.run.seed);
  int64_t batch = recipe.optim.batch_size, accumulated = 1, processes = 1;
  take(args, "batch_size", batch);
  take(args, "accum_iter", accumulated);
  take(args, "world_size", processes);
  recipe.optim.batch_size = std::max<int64_t>(batch * accumulated * processes, 1);
  double lr = recipe.optim.lr();  // "lr" in args is the value that upstream computed from blr
  take(args, "lr", lr);
  recipe.optim.base_lr = lr * 256 / static_cast<double>(recipe.optim.batch_size);
  recipe.optim.warmup_epochs = std::min(recipe.optim.warmup_epochs, recipe.optim.epochs);
  recipe.optim.min_lr = std::min(recipe.optim.min_lr, recipe.optim.lr());
  const auto model = args.find("model");
  const bool names_model = model != args.end() && model->is_string();
  // Only Fast ConvMAE, whose models are called "fast...", keeps all views.
  if (names_model && !model->get<std::string>().starts_with("fast"))
    recipe.pretrain().masks.views.count = 1;
}

}  // namespace

recipe::Recipe published_recipe(const Architecture& architecture, const json& args,
                                const std::vector<std::string>& set, const std::string& source,
                                const json& facts) {
  std::vector<std::string> overrides = as_overrides(facts, architecture);
  overrides.insert(overrides.end(), set.begin(), set.end());
  recipe::Recipe recipe;
  recipe.row = {"published", fmt::format("sizes found in {}", source)};
  recipe.model.kind = architecture.kind;
  recipe.encoder = architecture.encoder;
  recipe.encoder.heads = encoder_heads(architecture, overrides, source);
  const auto& decoder = architecture.decoder;
  if (decoder && decoder->linear) {
    recipe.pretrain().decoder.kind = "linear";
    recipe.pretrain().masks = {0.6, {1}};
    recipe.pretrain().targets.norm_pix = false;
    recipe.pretrain().targets.pixel_loss = "l1";
  } else if (decoder) {
    recipe.pretrain().decoder = {decoder->dim, decoder->depth,
                                 decoder_heads(decoder->dim, overrides, source),
                                 decoder->mlp_ratio};
    if (decoder->cross) recipe.pretrain().decoder.kind = "cross";
    if (decoder->mixes) recipe.pretrain().decoder.reads = "mix";
  } else {
    recipe.pretrain().decoder.depth = 0;  // the decoder will not be used
  }
  recipe.data.image_size = image_size(architecture, overrides, source);
  refuse_unknown_mean(architecture, overrides, source);
  recipe.data.channels = architecture.channels;
  take_args(args, recipe);
  return recipe::read_recipe(recipe::print_recipe(recipe), source, overrides);
}

namespace {

// Whether these are arguments of the upstream pretraining or fine-tuning programs, for whose files
// nothing has to be assumed.
bool are_published(const json& args) {
  return args.is_object() && (args.contains("norm_pix_loss") || args.contains("nb_classes"));
}

}  // namespace

std::vector<std::string> assumptions(const recipe::Recipe& recipe, const Architecture& architecture,
                                     const json& args, const std::vector<std::string>& set,
                                     const json& facts, bool for_decoder) {
  std::vector<std::string> known = as_overrides(facts, architecture), found;
  const bool mean_is_said = sets(known, "data.mean"),
             stddev_is_said = sets(known, "data.deviation");
  known.insert(known.end(), set.begin(), set.end());
  const bool published = are_published(args);
  const auto assume = [&](std::string_view key, std::string sentence) {
    if (!published && !sets(known, key)) found.push_back(std::move(sentence));
  };
  assume("encoder.heads",
         fmt::format("encoder.heads = {}, as in the upstream ViTs of this width (--set "
                     "encoder.heads=N)",
                     recipe.encoder.heads.last()));
  if (stddev_is_said) {
    assume("data.mean", "ImageNet's data.mean (--set data.mean=[0.5,0.5,0.5])");
  } else {
    assume("data.mean",
           "ImageNet's data.mean and data.deviation, where other weights have 0.5 for both (--set "
           "data.mean=[0.5,0.5,0.5] --set data.deviation=[0.5,0.5,0.5])");
  }
  if (mean_is_said) {
    assume("data.deviation", "ImageNet's data.deviation (--set data.deviation=[0.5,0.5,0.5])");
  }
  if (architecture.kind != "conv_vit") {  // conv_vit has a single form
    assume("encoder.norm_epsilon",
           fmt::format("encoder.norm_epsilon = {}, where other weights have 1e-12 or 1e-5 (--set "
                       "encoder.norm_epsilon=X)",
                       recipe.encoder.norm_epsilon));
    if (!facts.is_object() || !facts.contains("source") || facts.at("source") == "args") {
      assume("",
             "the exact GELU, the only activation of this program: weights of CLIP or SigLIP may "
             "have another (no key changes it)");
    }
  }
  if (for_decoder && architecture.decoder) {
    assume("decoder.heads", fmt::format("decoder.heads = {} (--set decoder.heads=N)",
                                        recipe.pretrain().decoder.heads));
    assume("targets.norm_pix",
           "targets.norm_pix = true, patches normalised one by one (--set targets.norm_pix=false)");
  }
  return found;
}

namespace {

// The upstream programs for a kind of encoder: how the names of their factory functions begin.
struct Program {
  std::string_view kind, one_view, all_views;
};
constexpr std::array kPrograms = {
    Program{"conv_vit", "convmae_convvit", "fastconvmae_convvit"},
    Program{"vit", "mae_vit", "mae_vit"},
    Program{"swin", "green_mim_swin", "green_mim_swin"},
};

// "mae_vit_large_patch16"
std::string factory(const recipe::Recipe& recipe) {
  std::string name = recipe.model.kind;  // kinds without an upstream program
  for (const Program& program : kPrograms) {
    if (program.kind != recipe.model.kind) continue;
    name = recipe.pretrain().masks.views.all() ? program.all_views : program.one_view;
  }
  const encoder::EncoderOptions* size = encoder::size_like(recipe.model.kind, recipe.encoder);
  if (size != nullptr) name += "_" + size->size;
  return fmt::format("{}_patch{}", name, recipe.encoder.patch_side());
}

}  // namespace

json published_args(const recipe::Recipe& recipe) {
  return {{"batch_size", recipe.optim.batch_size},
          {"epochs", static_cast<int64_t>(std::llround(recipe.optim.epochs))},
          {"accum_iter", 1},
          {"model", factory(recipe)},
          {"input_size", recipe.data.image_size[0]},
          {"mask_ratio", recipe.pretrain().masks.ratio},
          {"norm_pix_loss", recipe.pretrain().targets.norm_pix},
          {"weight_decay", recipe.optim.weight_decay},
          {"lr", recipe.optim.lr()},
          {"blr", recipe.optim.base_lr},
          {"min_lr", recipe.optim.min_lr},
          {"warmup_epochs", static_cast<int64_t>(std::llround(recipe.optim.warmup_epochs))},
          {"data_path", ""},
          {"output_dir", "./output_dir"},
          {"log_dir", "./output_dir"},
          {"device", "cuda"},
          {"seed", recipe.run.seed},
          {"resume", ""},
          {"start_epoch", 0},
          {"num_workers", 10},
          {"pin_mem", true},
          {"world_size", 1},
          {"local_rank", -1},
          {"dist_on_itp", false},
          {"dist_url", "env://"}};
}

PublishedOptimizer published_optimizer(const recipe::Recipe& recipe, const json& state) {
  const optim::OptimOptions& optim = recipe.optim;
  const auto steps = state.value("optimizer_steps", int64_t{0});
  const double epochs = state.value("epoch", 0.0);
  const double before = steps > 0 ? epochs - epochs / static_cast<double>(steps) : 0;
  PublishedOptimizer optimizer{
      steps,        optim::lr_at_epoch(optim, before), optim.weight_decay, optim.beta1, optim.beta2,
      optim.epsilon};
  const json settings = state.value("optimizer", json::object());
  take(settings, "lr", optimizer.lr);
  take(settings, "weight_decay", optimizer.weight_decay);
  take(settings, "eps", optimizer.epsilon);
  const json betas = settings.value("betas", json());
  if (betas.is_array() && betas.size() == 2 && betas[0].is_number() && betas[1].is_number()) {
    optimizer.beta1 = betas[0].get<double>();
    optimizer.beta2 = betas[1].get<double>();
  }
  return optimizer;
}

}  // namespace fcm::interop
