// Tables of the upstream Swins: windows, masks, resized relative position tables, learning rates.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "fcm/base/error.h"
#include "fcm/masks/window_plan.h"
#include "fcm/models/classifier.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/nn/positions.h"
#include "fcm/optim/parameter_groups.h"
#include "fcm/optim/schedule.h"
#include "reference/procedural.h"
#include "reference/swin.h"
#include "tests/parity/cases.h"
#include "tests/parity/swin_model.h"

namespace fcm::parity {
namespace {

// Compares the tables relative_position_index.w<k> and attn_mask.h<H>.w<W>.win<k>.
void window_tables(CaseResult& result, const Tensors& stored) {
  for (const auto& [name, wanted] : stored) {
    int64_t rows = 0, cols = 0, window = 0;
    if (std::sscanf(name.c_str(), "relative_position_index.w%ld", &window) == 1) {
      compare_exactly(result, name, reference::relative_position_index(window, window), wanted);
    } else if (std::sscanf(name.c_str(), "attn_mask.h%ld.w%ld.win%ld", &rows, &cols, &window) ==
               3) {
      const at::Tensor apart = reference::shifted_window_mask(rows, cols, window) < 0;
      compare_exactly(result, name, apart.to(at::kByte), wanted);
      // The window sets of an image with one cell per patch connect as many pairs as the mask.
      const masks::ViewPlan plan = masks::full_plan(1, {rows, cols});
      const ops::WindowSets sets = masks::window_sets(
          plan, plan.patches(), {ops::PatchGeometry{{1}}.cells(0), window, window / 2}, true);
      const double together = (wanted == 0).sum().item<double>();
      compare_number(result, name + " pairs", static_cast<double>(sets.pairs), together, 0);
    } else {
      add_fault(result, name + " is stored, but this case does not know the name");
    }
  }
}

void resized_tables(CaseResult& result, const nlohmann::json& cases, const Tensors& stored) {
  for (const auto& [name, about] : cases.items()) {
    const at::Tensor resized = nn::resize_relative_table(stored.at(name + ".table").to(at::kDouble),
                                                         about.at("window_from").get<int64_t>(),
                                                         about.at("window_to").get<int64_t>());
    const at::Tensor& wanted = stored.at(name + ".resized");
    compare(result, name, resized, wanted.to(at::kDouble), 1e-7, 1);
  }
}

// Compares masks. SimMIM's MaskGenerator hides the first ceil(patches * ratio) of a permutation.
void simmim_masks(CaseResult& result, const nlohmann::json& table) {
  for (const nlohmann::json& one : table.at("cases")) {
    const auto side = one.at("units_per_side").get<int64_t>();
    masks::MaskOptions options;
    options.ratio = one.at("mask_ratio").get<double>();
    options.views.count = 1;
    const auto sizes = masks::view_sizes(side * side, options);
    compare_number(result, "masked units", static_cast<double>(side * side - sizes.front()),
                   one.at("masked_units").get<double>(), 0);
    for (const nlohmann::json& draw : one.at("draws")) {
      const auto permutation = draw.at("permutation").get<std::vector<int64_t>>();
      // The last patches of the permutation are visible, so they get the lowest noise.
      at::Tensor noise = at::empty({1, side * side}, at::kDouble);
      for (size_t i = 0; i < permutation.size(); ++i) {
        noise[0][permutation[i]] = -static_cast<double>(i);
      }
      const masks::ViewPlan plan = masks::plan_from_noise(noise, {side, side}, sizes, 1);
      at::Tensor hidden = at::ones({side * side}, at::kLong);
      hidden.index_fill_(0, plan.order_BL[0].narrow(0, 0, plan.kept_slots()), 0);
      const auto wanted = draw.at("mask_units").get<std::vector<int64_t>>();
      compare_exactly(result, "mask_units", hidden, at::tensor(wanted, at::kLong));
    }
  }
}

// Window sets must have the sizes ("populations") of the upstream windows, in any order.
void green_mim_plans(CaseResult& result, const nlohmann::json& table) {
  for (const nlohmann::json& one : table) {
    const auto image = one.at("image").get<int64_t>(), unit = one.at("unit").get<int64_t>();
    const int64_t side = image / unit;
    const auto kept = one.at("kept_cells").get<std::vector<int64_t>>();
    at::Tensor noise = at::ones({1, side * side}, at::kDouble);
    noise[0].index_fill_(0, at::tensor(kept, at::kLong), 0);
    const auto count = static_cast<int64_t>(kept.size());
    const masks::ViewPlan plan =
        masks::plan_from_noise(noise, {side, side}, {count, side * side - count}, 1);
    std::vector<int64_t> strides{4};
    for (int64_t left = unit / 4; left > 1; left /= 2) strides.push_back(2);
    const ops::PatchGeometry geometry{strides};
    for (const nlohmann::json& stage : one.at("plans")) {
      if (!stage.contains("populations")) continue;  // the file lists none for few tokens
      const ops::Cells cells = geometry.cells(stage.at("stage").get<int64_t>());
      const ops::WindowSets sets = masks::window_sets(
          plan, count,
          {cells, stage.at("window_size").get<int64_t>(), stage.at("shift").get<int64_t>()}, true);
      std::vector<int64_t> sizes, wanted = stage.at("populations").get<std::vector<int64_t>>();
      for (int64_t s = 0; s < sets.sets_S4.size(0); ++s) {
        sizes.push_back(sets.sets_S4[s][2].item<int64_t>());
      }
      std::sort(sizes.begin(), sizes.end());
      std::sort(wanted.begin(), wanted.end());
      ++result.tensors;
      if (sizes != wanted) {
        add_fault(result, fmt::format("{} px, seed {}, stage {}: window sizes differ", image,
                                      one.at("seed").dump(), stage.at("stage").dump()));
      }
    }
  }
}

// Each row has a step, then the lr of each group; "lr_scales" has the factors of groups, if any.
void simmim_schedules(CaseResult& result, const nlohmann::json& table) {
  for (const nlohmann::json& one : table.at("cases")) {
    optim::OptimOptions options;
    options.batch_size = one.at("total_batch").get<int64_t>();
    options.base_lr = one.at("base_lr").get<double>() / 2;  // upstream's base_lr is per 512 images
    options.warmup_lr = one.at("warmup_lr").get<double>() / 2;
    options.epochs = one.at("epochs").get<double>();
    options.warmup_epochs = one.at("warmup_epochs").get<double>();
    options.min_lr = one.at("scaled").at("min_lr").get<double>();
    const bool drops = one.at("scheduler") == "multistep";
    options.schedule = drops ? "drops" : "cosine_from_start";
    if (drops) {
      options.drop_epochs = one.at("milestones_epochs").get<std::vector<double>>();
      options.drop = one.at("gamma").get<double>();
    }
    std::vector<double> scales{1};
    if (one.at("lr_scales").is_array()) scales = one.at("lr_scales").get<std::vector<double>>();
    for (const nlohmann::json& row : one.at("rows")) {
      const optim::Rate rate = optim::rate_at_step(options, row.at(0).get<int64_t>(),
                                                   one.at("iterations_per_epoch").get<int64_t>());
      for (size_t group = 0; group < scales.size() && group + 1 < row.size(); ++group) {
        const optim::ParameterGroup named{"", scales[group], 0, {}};
        compare_number(
            result,
            fmt::format("{} iteration {}", one.at("name").get<std::string>(), row.at(0).dump()),
            named.lr(rate.lr, rate.common), row.at(group + 1).get<double>(), 1e-11);
      }
    }
  }
}

void green_mim_schedules(CaseResult& result, const nlohmann::json& table) {
  for (const nlohmann::json& one : table.at("cases")) {
    optim::OptimOptions options;
    options.base_lr = one.at("blr").get<double>();
    options.batch_size = one.at("total_batch").get<int64_t>();
    options.epochs = one.at("epochs").get<double>();
    options.warmup_epochs = one.at("warmup_epochs").get<double>();
    options.min_lr = one.at("min_lr").get<double>();
    for (const nlohmann::json& row : one.at("rows")) {
      compare_number(result, fmt::format("lr at epoch {}", row.at(0).dump()),
                     optim::lr_at_epoch(options, row.at(0).get<double>()), row.at(1).get<double>(),
                     1e-12);
    }
  }
}

// Compares the parameters of each group in order, and the group's weight decay. SimMIM lists its
// two groups in the opposite order.
void pretraining_groups(CaseResult& result, const SwinModel& model, const nlohmann::json& table) {
  const models::MaskedAutoencoder ours(model.autoencoder(), 0);
  std::vector<std::string> state, wanted;
  for (const nlohmann::json& item : table.at("state_dict")) {
    const auto name = item.at(0).get<std::string>();
    if (name.ends_with("relative_position_index") || name.ends_with("attn_mask")) continue;
    wanted.push_back(name);
  }
  int64_t encoder = 0;
  for (const nn::Parameter& parameter : ours.parameters().all()) {
    state.push_back(name_in_file(model.program, parameter.name));
    if (state.back().starts_with("encoder.")) encoder += parameter.value.numel();
  }
  ++result.tensors;
  if (state != wanted) add_fault(result, "the state_dict's names or their order differ");
  compare_number(result, "encoder", static_cast<double>(encoder),
                 table.at("encoder_elements").get<double>(), 0);
  optim::OptimOptions options;
  const bool simmim = model.program == SwinProgram::kSimMim;
  options.no_decay = simmim ? "vectors_tokens" : "vectors_tokens_tables";
  auto groups = optim::pretraining_groups(ours.parameters(), options);
  if (simmim) std::swap(groups[0], groups[1]);
  for (size_t i = 0; i < groups.size(); ++i) {
    const nlohmann::json& group = table.at("groups").at(i);
    std::vector<std::string> names;
    for (const size_t index : groups[i].parameters) names.push_back(state[index]);
    ++result.tensors;
    if (names != group.at("params").get<std::vector<std::string>>()) {
      add_fault(result, fmt::format("group {} has other parameters than stored", i));
    }
    compare_number(result, fmt::format("group {} decay", i), groups[i].weight_decay,
                   group.at("weight_decay").get<double>(), 1e-15);
  }
}

// The key "224_w7_ld0.8" means 224 pixels, window 7 and layer decay 0.8.
void finetune_groups(CaseResult& result, const nlohmann::json& table) {
  for (const auto& [name, one] : table.items()) {
    int64_t pixels = 0, window = 0;
    if (std::sscanf(name.c_str(), "%ld_w%ld_ld", &pixels, &window) != 2) continue;
    models::ClassifierOptions options;
    options.kind = "swin";
    options.encoder = encoder::named_size("swin", "base");
    options.encoder.window = window;
    options.rows = options.cols = pixels;
    const models::Classifier model(options, 0);
    const auto groups = optim::layer_decay_groups(model.parameters(), model.layer_of(), 0.05,
                                                  one.at("layer_decay").get<double>());
    const nlohmann::json& wanted = one.at("groups");
    compare_number(result, name + " groups", static_cast<double>(groups.size()),
                   static_cast<double>(wanted.size()), 0);
    for (size_t i = 0; i < std::min(groups.size(), wanted.size()); ++i) {
      const nlohmann::json& group = wanted.at(i);
      std::vector<std::string> names;
      for (const size_t index : groups[i].parameters) {
        names.push_back(model.parameters().all()[index].name);
      }
      ++result.tensors;
      if (groups[i].name != group.at("group_name").get<std::string>() ||
          (group.contains("params") &&
           names != group.at("params").get<std::vector<std::string>>())) {
        add_fault(result, fmt::format("{}: group {} differs from the stored one", name, i));
      }
      compare_number(result, fmt::format("{} group {} lr_scale", name, i), groups[i].lr_scale,
                     group.at("lr_scale").get<double>(), 1e-12);
    }
  }
}

}  // namespace

std::vector<CaseResult> swin_table_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file, [&](CaseResult& result) {
    const std::string kind = entry.kind();
    const bool green = entry.stem().find("greenmim") != std::string::npos;
    if (kind == "tables") return window_tables(result, read_tensors(entry.path()));
    if (kind == "resize") {
      return resized_tables(result, entry.about.at("cases"), read_tensors(entry.path()));
    }
    const nlohmann::json table = read_json(entry.path());
    if (kind == "masks") return simmim_masks(result, table);
    if (kind == "plans") return green_mim_plans(result, table);
    if (kind == "schedule" && green) return green_mim_schedules(result, table);
    if (kind == "schedule") return simmim_schedules(result, table);
    if (entry.stem() == "swin_base_finetune_groups") return finetune_groups(result, table);
    Entry base = entry;  // the manifest's text names a factory of the base size
    base.about["constructor"] = {{"img_size", green ? 224 : 192}, {"embed_dim", 128},
                                 {"depths", {2, 2, 18, 2}},       {"num_heads", {4, 8, 16, 32}},
                                 {"window_size", green ? 7 : 6},  {"mlp_ratio", 4}};
    pretraining_groups(result, swin_model(base), table);
  });
  return results;
}

}  // namespace fcm::parity
