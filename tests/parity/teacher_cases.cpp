// Cases of the kind teacher: image towers whose features are targets.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <regex>

#include "fcm/base/error.h"
#include "fcm/interop/tower_names.h"
#include "fcm/masks/view_plan.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/targets/teacher.h"
#include "reference/procedural.h"
#include "reference/teachers.h"
#include "tests/parity/golden.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

using Shape = std::vector<int64_t>;

struct Teacher {
  reference::TowerOptions options;
  Inputs inputs;
  Tensors stored;
};

// Upstream names, of DINO or CLIP, of the parameters whose shapes determine the sizes.
struct SizeNames {
  const char *positions, *patches, *hidden, *blocks;
};
constexpr SizeNames kDinoNames{"pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight",
                               R"(blocks\.(\d+)\.norm1\.weight)"};
constexpr SizeNames kClipNames{"visual.positional_embedding", "visual.conv1.weight",
                               "visual.transformer.resblocks.0.mlp.c_fc.weight",
                               R"(visual\.transformer\.resblocks\.(\d+)\.ln_1\.weight)"};

// The number of heads: the constructor's argument or, without one, dim / 64. No tensor's shape
// depends on it.
int64_t heads_of(const nlohmann::json& about, int64_t dim) {
  const std::string constructor = about.value("constructor", nlohmann::json()).dump();
  std::smatch match;
  const std::regex pattern(R"(heads\W+(\d+))");
  return std::regex_search(constructor, match, pattern) ? std::stoll(match[1]) : dim / 64;
}

reference::TowerOptions options_of(const nlohmann::json& about,
                                   const std::map<std::string, Shape>& shapes,
                                   const at::Tensor& images_BCHW) {
  reference::TowerOptions options;
  const bool clip = shapes.contains(kClipNames.patches);
  const SizeNames& names = clip ? kClipNames : kDinoNames;
  options.tower = clip ? reference::Tower::kClip : reference::Tower::kDino;
  options.rows = images_BCHW.size(2);
  options.cols = images_BCHW.size(3);
  const Shape& patches = shapes.at(names.patches);
  options.dim = patches[0];
  options.channels = patches[1];
  options.stride = patches[2];
  options.depth = 0;
  const std::regex block(names.blocks);
  for (const auto& [name, shape] : shapes) options.depth += std::regex_match(name, block) ? 1 : 0;
  options.heads = heads_of(about, options.dim);
  options.mlp_ratio =
      static_cast<double>(shapes.at(names.hidden)[0]) / static_cast<double>(options.dim);
  if (clip) options.projected_dim = shapes.at("visual.proj")[1];
  return options;
}

Teacher make_teacher(const Entry& entry, const Request& request) {
  Teacher teacher;
  teacher.stored = read_tensors(entry.path());
  const uint64_t seed = entry.about.at("weight_seed").get<uint64_t>();
  const std::string text = entry.about.value("images", "");
  const ProceduralText images = parse_procedural(text, seed);
  teacher.inputs.images_BCHW = text.starts_with("procedural")
                                   ? reference::procedural("images", images.seed, images.shape)
                                   : teacher.stored.at("images");
  const auto shapes = entry.about.at("parameters").get<std::map<std::string, Shape>>();
  teacher.options = options_of(entry.about, shapes, teacher.inputs.images_BCHW);
  for (const auto& [name, shape] : reference::tower_names_and_shapes(teacher.options)) {
    const auto known = shapes.find(name);
    if (known == shapes.end() || known->second != shape) {
      fail(ExitCode::kData, "the manifest has no {} of shape {}", name, fmt::join(shape, " x "));
    }
    teacher.inputs.weights[name] = reference::procedural(name, seed, shape);
  }
  if (teacher.inputs.weights.size() != shapes.size()) {
    fail(ExitCode::kData, "the manifest has {} parameters, the tower {}", shapes.size(),
         teacher.inputs.weights.size());
  }
  if (request.mistake) request.mistake(teacher.inputs);
  return teacher;
}

// A run that has only the inputs, under the names of their stored copies.
Run run_with_inputs(const Teacher& teacher) {
  Run run;
  run.values["images"] = teacher.inputs.images_BCHW;
  for (const auto& [name, value] : teacher.inputs.weights) run.values["state." + name] = value;
  return run;
}

Run run_reference(const Teacher& teacher, Types types) {
  reference::TowerOptions options = teacher.options;
  options.compute = types.compute;
  reference::Weights weights;
  for (const auto& [name, value] : teacher.inputs.weights) {
    weights[name] = value.to(types.parameters);
  }
  const reference::TowerResult result =
      reference::tower(weights, options, teacher.inputs.images_BCHW.to(types.parameters));
  Run run = run_with_inputs(teacher);
  run.values["class_output"] = result.class_output;
  if (options.tower == reference::Tower::kClip) {
    run.values["last_block"] = result.blocks.back();
    run.values["ln_post"] = result.normed_BLD;
    run.values["projected"] = result.projected_BLP;
    run.values["target_ln"] = reference::normalised_tokens(result.blocks.back());
    return run;
  }
  run.values["norm"] = result.normed_BLD;
  run.values["target_ln"] = reference::normalised_tokens(result.normed_BLD);
  // Upstream's get_intermediate_layers(images, 5)[0]: the fifth block from the end, then `norm`.
  run.values["layer_minus_5"] =
      at::layer_norm(result.blocks.at(result.blocks.size() - 5), {options.dim},
                     weights.at("norm.weight"), weights.at("norm.bias"), 1e-6);
  return run;
}

// Runs the fast path on images whose patches are in raster order.
Run run_fast(const Teacher& teacher, Types types) {
  const reference::TowerOptions& tower = teacher.options;
  const bool clip = tower.tower == reference::Tower::kClip;
  targets::TeacherOptions options =
      targets::of_kind(clip ? targets::TeacherKind::kClip : targets::TeacherKind::kDino);
  options.rows = tower.rows;
  options.cols = tower.cols;
  options.channels = tower.channels;
  options.stride = tower.stride;
  options.dim = tower.dim;
  options.depth = tower.depth;
  options.heads = tower.heads;
  options.mlp_ratio = tower.mlp_ratio;
  options.projected_dim = clip ? tower.projected_dim : 0;
  targets::Teacher fast(options, types.parameters);
  if (clip) {  // CLIP's patch embedding has no bias
    const nn::Parameter& bias = fast.parameters().find("patch_embed.proj.bias");
    fast.parameters().set_published(bias, at::zeros({tower.dim}));
  }
  for (const auto& [name, value] : teacher.inputs.weights) {
    const std::string_view inside =
        clip ? std::string_view(name).substr(std::string_view("visual.").size()) : name;
    const nn::Parameter& parameter =
        fast.parameters().find(interop::name_in_tower(inside).value_or(name));
    fast.parameters().set_published(parameter, value.view(parameter.published_shape));
  }
  const at::Tensor images = teacher.inputs.images_BCHW.to(types.parameters);
  const at::Tensor order_BL = masks::full_plan(images.size(0), fast.grid()).order_BL;
  const at::Tensor pixels = ops::patchify_normalised(images, order_BL, fast.geometry());
  const auto features = [&](targets::Feature feature) {
    return fast.features(pixels, order_BL, feature, types.compute);
  };
  Run run = run_with_inputs(teacher);
  run.values[clip ? "ln_post" : "norm"] = features(targets::Feature::kNormed);
  if (clip) {
    run.values["last_block"] = features(targets::Feature::kTokens);
    run.values["projected"] = features(targets::Feature::kProjected);
  }
  run.values["target_ln"] = targets::normalised_tokens(run.values.at(clip ? "last_block" : "norm"));
  return run;
}

// Training does not use class tokens and inner layers, so only the reference computes them.
Tensors of_fast_path(Tensors stored) {
  std::erase_if(stored, [](const auto& item) {
    return item.first.starts_with("class_output") || item.first.starts_with("layer_minus_5");
  });
  return stored;
}

}  // namespace

std::vector<CaseResult> teacher_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  const auto add = [&](Path path, const char* type, Types types, const Tolerance& tolerance) {
    add_case(results, request, fmt::format("{} [{} {}]", entry.file, path_name(path), type),
             [&](CaseResult& result) {
               const Teacher teacher = make_teacher(entry, request);
               const bool fast = path == Path::kFast;
               compare_with_stored(result, entry,
                                   fast ? of_fast_path(teacher.stored) : teacher.stored,
                                   fast ? run_fast(teacher, types) : run_reference(teacher, types),
                                   Stored::kFloat32, tolerance);
             });
  };
  for (const Path path : {Path::kFast, Path::kReference}) {
    add(path, "fp32", kFp32, float32_tolerance(entry));
    add(path, "fp64", kFp64, float64_tolerance(entry));
  }
  return results;
}

}  // namespace fcm::parity
