// Cases of whole segmenters: training passes (in segmentor_training_cases.cpp), optimizer steps,
// other image sizes, windows, the base size, weights from a pretraining file.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/base/error.h"
#include "fcm/base/reporter.h"
#include "fcm/eval/slide.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/segmenter_names.h"
#include "fcm/loss/segmentation.h"
#include "fcm/models/inputs.h"
#include "fcm/nn/positions.h"
#include "fcm/optim/adamw.h"
#include "fcm/optim/parameter_groups.h"
#include "fcm/optim/schedule.h"
#include "fcm/tasks/trained_segmenter.h"
#include "reference/procedural.h"
#include "tests/parity/golden.h"
#include "tests/parity/segmentation_head.h"
#include "tests/parity/segmentor.h"
#include "tests/parity/three_types.h"

namespace fcm::parity {
namespace {

// Compares learning rates "lr[step, group]", "losses", and parameters and statistics after steps 2
// and 5.
void compare_updates(CaseResult& result, const Entry& entry, const SegmentorCase& c) {
  models::Segmenter model = segmentor_model(c, at::kFloat);
  const nlohmann::json& about = entry.about.at("optimizer");
  optim::OptimOptions options;
  options.schedule = "poly";
  options.batch_size = 256;
  options.base_lr = about.at("lr");
  options.warmup_lr = options.base_lr * about.at("ratio").get<double>();
  options.steps = about.at("max_iters");
  options.warmup_steps = about.at("warmup");
  options.beta2 = 0.999;
  optim::AdamW optimizer(model.parameters(),
                         optim::layer_decay_groups(model.parameters(), model.layer_of(),
                                                   about.at("wd"), about.at("ld")),
                         options);
  const nlohmann::json& groups = entry.about.at("groups");
  if (groups.size() != optimizer.groups().size()) {
    add_fault(result, fmt::format("{} optimizer groups, stored are {}", optimizer.groups().size(),
                                  groups.size()));
  }
  for (size_t g = 0; g < std::min(groups.size(), optimizer.groups().size()); ++g) {
    const optim::ParameterGroup& group = optimizer.groups()[g];
    if (group.name != groups[g].at("group_name").get<std::string>())
      add_fault(result, "group " + group.name);
    compare_number(result, group.name + ".lr_scale", group.lr_scale, groups[g].at("lr_scale"),
                   1e-12);
    if (group.parameters.size() != groups[g].at("param_names").size()) {
      add_fault(result, "group " + group.name + " has other parameters than stored");
    }
  }
  const at::Tensor images =
      reference::procedural("images", c.seed, {c.batch, 3, c.options.rows, c.options.cols});
  const masks::ViewPlan plan = plan_of(images);
  const Tensors training =
      read_tensors(entry.path().parent_path() / (entry.stem() + ".safetensors"));
  const at::Tensor labels_BHW = training.at("labels").view({c.batch, images.size(2), -1});
  StoredTensors stored(result, entry, c.stored, false);
  constexpr double kAfterAdam = 1e-3;
  std::vector<double> losses;
  for (int64_t step = 0; step < about.at("steps").get<int64_t>(); ++step) {
    optimizer.zero_gradients();
    const models::Segmenter::Logits logits = model.train(
        segmentor_pixels(model, images, plan), plan, at::kFloat, {}, dist::group_of_one());
    const at::Tensor loss = loss::segmentation_loss(logits.decode_BHWK, labels_BHW).loss +
                            loss::segmentation_loss(logits.aux_BHWK, labels_BHW).loss * 0.4;
    losses.push_back(loss.item<double>());
    torch::autograd::backward({loss}, {});
    const double lr = optim::lr_at_step(options, step, 1);
    for (size_t g = 0; g < optimizer.groups().size(); ++g) {
      compare_number(result, fmt::format("lr[{}, {}]", step, g), optimizer.groups()[g].lr(lr),
                     c.stored.at("lr")[step][static_cast<int64_t>(g)].item<double>(), 1e-6);
    }
    optimizer.step(lr);
    for (const nn::Parameter& parameter : model.parameters().all()) {
      const std::string name = interop::mmseg_name(parameter.name);
      if (has_no_gradient(name) || name == "backbone.fpn.1.running_mean") continue;
      const at::Tensor value =
          nn::to_published(parameter.value, parameter.layout, parameter.published_shape);
      const std::string after = fmt::format("step{}.{}", step + 1, name);
      if (name.ends_with("attn.qkv.bias") && c.stored.contains(after)) {
        compare(result, after, without_key_bias(name, value),
                without_key_bias(name, c.stored.at(after)), kAfterAdam);
      } else {
        stored.compare_one(after, value, kAfterAdam);
      }
    }
  }
  compare(result, "losses", at::tensor(losses, at::kDouble), c.stored.at("losses"), kAfterAdam);
  if (stored.compared() < 50) add_fault(result, "fewer than 50 stored tensors were compared");
}

void compare_inference(CaseResult& result, const Entry& entry, const SegmentorCase& c) {
  const models::Segmenter model = segmentor_model(c, at::kFloat);
  const nlohmann::json& cases = entry.about.at("cases");
  StoredTensors stored(result, entry, c.stored, false);
  for (size_t k = 0; k < cases.size(); ++k) {
    const nlohmann::json& one = cases[k];
    const ProceduralText text = parse_procedural(one.at("images"), c.seed);
    const at::Tensor image = reference::procedural("images", text.seed, text.shape);
    const at::Tensor pixels_HWC = image[0].permute({1, 2, 0}).contiguous();
    const auto crop = one.at("crop").get<std::vector<int64_t>>();
    const bool whole = one.at("mode") == "whole";
    const int64_t stride = whole ? crop[0] : one.at("stride").get<int64_t>();
    const eval::SlideOptions options{crop[0], crop[1], stride, stride, whole};
    const auto logits_of = [&](const at::Tensor& windows) {
      return models::logits_of(model, windows, at::kFloat);
    };
    const std::string name = fmt::format("case{}.", k);
    const at::Tensor logits = eval::slide_logits(pixels_HWC, options, 2, logits_of);
    stored.compare_one(name + "logits", as_nchw(logits.unsqueeze(0)), kSegmentationFloat32);
    const auto size = one.at("ori_shape").get<std::vector<int64_t>>();
    const at::Tensor map = eval::slide(pixels_HWC, size[0], size[1], options, 2, logits_of);
    const at::Tensor sure = c.stored.at(name + "sure").view(map.sizes()).to(at::kBool);
    compare_exactly(result, name + "prediction", map.masked_select(sure),
                    c.stored.at(name + "prediction").view(map.sizes()).masked_select(sure));
  }
}

void compare_other_sizes(CaseResult& result, const Entry& entry, const SegmentorCase& c,
                         Path /*path*/, Types types) {
  const at::NoGradGuard no_grad;
  const models::Segmenter model = segmentor_model(c, types.parameters);
  StoredTensors stored(result, entry, c.stored, types.parameters == at::kDouble);
  const nlohmann::json& cases = entry.about.at("cases");
  for (size_t k = 0; k < cases.size(); ++k) {
    const ProceduralText text = parse_procedural(cases[k].at("images"), c.seed);
    const at::Tensor images = reference::procedural("images", text.seed, text.shape);
    const masks::ViewPlan plan = plan_of(images);
    const std::string name = fmt::format("case{}.", k);
    const at::Tensor logits = model.evaluate(
        segmentor_pixels(model, images, plan), plan, types.compute,
        [&](const std::string& seen, const at::Tensor& value) {
          if (!seen.starts_with("feature.")) return;
          stored.compare_one(name + "out." + seen.substr(8), as_nchw(value), kSegmentationFloat32);
        });
    stored.compare_one(name + "logits", upsampled_logits(logits, images.sizes().slice(2)),
                       kSegmentationFloat32);
  }
}

void compare_positions(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.path());
  const nlohmann::json& cases = entry.about.at("cases");
  for (size_t k = 0; k < cases.size(); ++k) {
    const std::string source = cases[k].at("source");
    const ProceduralText text = parse_procedural(source, 0);
    const auto from = cases[k].at("from_grid").get<std::vector<int64_t>>();
    const auto to = cases[k].at("to_grid").get<std::vector<int64_t>>();
    const at::Tensor table = reference::procedural("pos_embed", text.seed, text.shape);
    const std::string name = fmt::format("case{}.pos_embed", k);
    compare(result, name, nn::resize_positions(table, from[0], from[1], to[0], to[1]),
            stored.at(name), kSegmentationFloat32);
  }
}

void compare_pretrained(CaseResult& result, const Entry& entry, const SegmentorCase& c) {
  models::Segmenter model = segmentor_model(c, at::kFloat);
  SilentReporter silent;
  const std::filesystem::path file =
      entry.path().parent_path() / entry.about.at("loaded_from").get<std::string>();
  tasks::load_segmenter_start(model, interop::load_any(file, false, silent), {}, silent, {});
  StoredTensors stored(result, entry, c.stored, false);
  stored.compare_one("pos_embed", model.parameters().find("backbone.pos_embed").value,
                     kSegmentationFloat32);
  const at::NoGradGuard no_grad;
  const at::Tensor images =
      reference::procedural("images", c.seed, {2, 3, c.options.rows, c.options.cols});
  const masks::ViewPlan plan = plan_of(images);
  const at::Tensor logits = model.evaluate(
      segmentor_pixels(model, images, plan), plan, at::kFloat,
      [&](const std::string& seen, const at::Tensor& value) {
        if (!seen.starts_with("feature.")) return;
        stored.compare_one("out." + seen.substr(8), as_nchw(value), kSegmentationFloat32);
      });
  stored.compare_one("logits", upsampled_logits(logits, images.sizes().slice(2)),
                     kSegmentationFloat32);
  if (stored.compared() != 6) add_fault(result, "not all of the stored tensors were compared");
}

// Compares features and logits of the decode head at the upstream size. The gradients in the file
// are not compared: they are from an evaluation pass, which has no backward in this program.
void compare_base(CaseResult& result, const Entry& entry) {
  SegmentorCase c;
  c.stored = read_tensors(entry.path());
  c.options.encoder.norm_epsilon = 1e-5;
  c.seed = entry.about.at("weight_seed");
  c.weights = segmentor_weights(c.options, c.seed);
  const models::Segmenter model = segmentor_model(c, at::kFloat);
  StoredTensors stored(result, entry, c.stored, false);
  const at::NoGradGuard no_grad;
  const at::Tensor images = reference::procedural("images", c.seed, {1, 3, 512, 512});
  const masks::ViewPlan plan = plan_of(images);
  const at::Tensor logits =
      model.evaluate(segmentor_pixels(model, images, plan), plan, at::kFloat,
                     [&](const std::string& seen, const at::Tensor& value) {
                       if (seen.starts_with("feature.")) {
                         stored.compare_one(seen, as_nchw(value), kSegmentationFloat32);
                       }
                     });
  stored.compare_one("head_logits", as_nchw(logits), kSegmentationFloat32);
  if (stored.compared() != 5) add_fault(result, "not all of the stored tensors were compared");
}

}  // namespace

std::vector<CaseResult> segmentor_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  const std::string stem = entry.stem();
  const auto add = [&](const char* type, const std::function<void(CaseResult&)>& body) {
    add_case(results, request, fmt::format("{} [fast {}]", entry.file, type), body);
  };
  const auto in_both_types = [&](Path path, auto body) {
    for (const auto& [name, types] : {std::pair{"fp32", kFp32}, std::pair{"fp64", kFp64}}) {
      add_case(results, request, fmt::format("{} [{} {}]", entry.file, path_name(path), name),
               [&, types = types](CaseResult& result) {
                 body(result, entry, segmentor_case(entry, request), path, types);
               });
    }
  };
  const auto by_both_paths = [&](auto body) {
    for (const Path path : {Path::kFast, Path::kReference}) in_both_types(path, body);
  };
  const auto once = [&](auto body) {
    add("fp32", [&](CaseResult& result) { body(result, entry, segmentor_case(entry, request)); });
  };
  if (entry.file.find(".steps.") != std::string::npos) {
    once(compare_updates);
  } else if (stem.starts_with("backbone_")) {
    by_both_paths(compare_segmentor_backbone);
  } else if (stem == "inference") {
    once(compare_inference);
  } else if (stem == "other_size") {
    in_both_types(Path::kFast, compare_other_sizes);
  } else if (stem == "pretrained") {
    once(compare_pretrained);
  } else if (stem == "position_resize") {
    add("fp32", [&](CaseResult& result) { compare_positions(result, entry); });
  } else if (stem == "base_512") {
    add("fp32", [&](CaseResult& result) { compare_base(result, entry); });
  } else {
    by_both_paths(compare_segmentor_training);
  }
  return results;
}

}  // namespace fcm::parity
