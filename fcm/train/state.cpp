#include "fcm/train/state.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/train/mismatches.h"

namespace fcm::train {
namespace {

// safetensors' names of LibTorch's types.
constexpr std::pair<const char*, at::ScalarType> kTypes[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16},
    {"I64", at::kLong},   {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
    {"U8", at::kByte},    {"BOOL", at::kBool}};

const char* dtype_name(at::ScalarType wanted) {
  for (const auto& [name, type] : kTypes) {
    if (type == wanted) return name;
  }
  throw std::logic_error("no safetensors name for this type");
}

at::ScalarType dtype_of(const formats::TensorView& view) {
  for (const auto& [name, type] : kTypes) {
    if (view.dtype == name) return type;
  }
  fail(ExitCode::kCheckpoint, "tensor {} holds {}, which is not a type of LibTorch", view.name,
       view.dtype);
}

at::Tensor to_weight(const formats::TensorView& view, const std::string& source) {
  constexpr std::array<std::string_view, 4> kFloats = {"F32", "F64", "BF16", "F16"};
  if (std::find(kFloats.begin(), kFloats.end(), view.dtype) == kFloats.end()) {
    fail(ExitCode::kCheckpoint,
         "{}: tensor {} holds {}, weights are F32, F64, BF16 or F16; take a file of floats, or "
         "convert it in Python and save it again",
         source, view.name, view.dtype);
  }
  return to_tensor(view);
}

// Calls visit(parameter, slice) for each trainable parameter with its slice of a flat buffer, in
// the layout in which the program holds it.
template <typename Visit>
void for_each_piece(const nn::Parameters& parameters, const at::Tensor& flat, Visit&& visit) {
  int64_t offset = 0;
  for (const nn::Parameter& parameter : parameters.all()) {
    if (!parameter.trainable) continue;
    const int64_t elements = parameter.value.numel();
    visit(parameter, flat.narrow(0, offset, elements).view(parameter.value.sizes()));
    offset += elements;
  }
}

}  // namespace

nlohmann::json Counters::to_json() const {
  return {{"step", step},
          {"bad_samples", bad_samples},
          {"skipped", skipped},
          {"skipped_in_a_row", skipped_in_a_row},
          {"rollbacks", rollbacks},
          {"micro_batch", micro_batch},
          {"window_loss", window_loss},
          {"window_steps", window_steps},
          {"epoch_loss", epoch_loss},
          {"epoch_steps", epoch_steps},
          {"window_target_losses", window_target_losses},
          {"epoch_target_losses", epoch_target_losses},
          {"recent_losses", history.losses},
          {"spikes", history.spikes},
          {"spikes_in_a_row", history.spikes_in_a_row}};
}

Counters Counters::from_json(const nlohmann::json& json) {
  Counters counters;
  json.at("step").get_to(counters.step);
  json.at("bad_samples").get_to(counters.bad_samples);
  json.at("skipped").get_to(counters.skipped);
  json.at("skipped_in_a_row").get_to(counters.skipped_in_a_row);
  json.at("rollbacks").get_to(counters.rollbacks);
  json.at("micro_batch").get_to(counters.micro_batch);
  json.at("window_loss").get_to(counters.window_loss);
  json.at("window_steps").get_to(counters.window_steps);
  json.at("epoch_loss").get_to(counters.epoch_loss);
  json.at("epoch_steps").get_to(counters.epoch_steps);
  json.at("window_target_losses").get_to(counters.window_target_losses);
  json.at("epoch_target_losses").get_to(counters.epoch_target_losses);
  // Earlier versions stored no losses; from their checkpoints, spikes are detected after 16 steps.
  counters.history.losses = json.value("recent_losses", std::vector<double>());
  counters.history.spikes = json.value("spikes", int64_t{0});
  counters.history.spikes_in_a_row = json.value("spikes_in_a_row", int64_t{0});
  return counters;
}

void PublishedTensors::add(const std::string& name, const at::Tensor& tensor) {
  owners.push_back(tensor.contiguous());
  const at::Tensor& owned = owners.back();
  views.push_back({name,
                   dtype_name(owned.scalar_type()),
                   owned.sizes().vec(),
                   {static_cast<const std::byte*>(owned.const_data_ptr()), owned.nbytes()}});
}

PublishedTensors model_tensors(const nn::Parameters& parameters) {
  PublishedTensors tensors;
  for (const nn::Parameter& parameter : parameters.all()) {
    tensors.add(parameter.name, parameters.published(parameter));
  }
  return tensors;
}

PublishedTensors optimizer_tensors(const nn::Parameters& parameters,
                                   const optim::AdamW& optimizer) {
  PublishedTensors tensors;
  const auto add = [&](const char* prefix, const at::Tensor& flat) {
    for_each_piece(parameters, flat, [&](const nn::Parameter& parameter, const at::Tensor& held) {
      tensors.add(prefix + parameter.name,
                  nn::to_published(held.cpu(), parameter.layout, parameter.published_shape));
    });
  };
  add("exp_avg.", optimizer.first_moments());
  add("exp_avg_sq.", optimizer.second_moments());
  return tensors;
}

at::Tensor to_tensor(const formats::TensorView& view) {
  at::Tensor tensor = at::empty(view.shape, dtype_of(view));
  require(tensor.nbytes() == view.bytes.size(),
          "tensor {}: got {} bytes, expected {} for its shape", view.name, view.bytes.size(),
          tensor.nbytes());
  if (!view.bytes.empty()) {
    std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  }
  return tensor;
}

std::vector<const nn::Parameter*> load_model(nn::Parameters& parameters,
                                             const formats::TensorFile& file,
                                             const std::string& source, const LoadRules& rules) {
  Mismatches mismatches(rules);
  std::vector<const formats::TensorView*> views;
  for (const nn::Parameter& parameter : parameters.all()) {
    views.push_back(mismatches.take(file, parameter.name, parameter.published_shape));
  }
  mismatches.check(file, source);
  std::vector<const nn::Parameter*> left;
  for (size_t i = 0; i < views.size(); ++i) {
    const nn::Parameter& parameter = parameters.all()[i];
    if (views[i] == nullptr) {
      left.push_back(&parameter);
    } else {
      parameters.set_published(parameter, to_weight(*views[i], source));
    }
  }
  return left;
}

void load_optimizer(const nn::Parameters& parameters, optim::AdamW& optimizer,
                    const formats::TensorFile& file, const std::string& source,
                    const LoadRules& rules) {
  Mismatches mismatches(rules);
  struct Wanted {
    const nn::Parameter* parameter;
    at::Tensor held;
    const formats::TensorView* view;
  };
  std::vector<Wanted> wanted;
  const auto collect = [&](const char* prefix, const at::Tensor& flat) {
    for_each_piece(parameters, flat, [&](const nn::Parameter& parameter, const at::Tensor& held) {
      wanted.push_back({&parameter, held,
                        mismatches.take(file, prefix + parameter.name, parameter.published_shape)});
    });
  };
  collect("exp_avg.", optimizer.first_moments());
  collect("exp_avg_sq.", optimizer.second_moments());
  mismatches.check(file, source);
  for (Wanted& moment : wanted) {
    moment.held.copy_(nn::to_held(to_weight(*moment.view, source), moment.parameter->layout)
                          .reshape(moment.held.sizes()));
  }
}

void add_ema(PublishedTensors& tensors, const nn::Parameters& ema) {
  for (const nn::Parameter& parameter : ema.all()) {
    tensors.add(kEmaPrefix + parameter.name, ema.published(parameter));
  }
}

void load_ema(nn::Parameters& ema, const formats::TensorFile& file, const std::string& source) {
  formats::TensorFile average;
  for (formats::TensorView view : file.tensors) {
    if (!view.name.starts_with(kEmaPrefix)) continue;
    view.name.erase(0, std::string_view(kEmaPrefix).size());
    average.tensors.push_back(std::move(view));
  }
  if (average.tensors.empty()) {
    fail(ExitCode::kCheckpoint,
         "{} has no EMA of the encoder, which is one of the recipe's targets; take the "
         "run itself, or the .pth file that checkpoint convert makes of it",
         source);
  }
  load_model(ema, average, source + " (EMA, names with the prefix " + kEmaPrefix + ")");
}

void load_training_state(nn::Parameters& parameters, optim::AdamW& optimizer, nn::Parameters* ema,
                         const checkpoint::Checkpoint& checkpoint) {
  const std::string source = checkpoint.path.string();
  const nlohmann::json& state = checkpoint.state;
  if (const auto why = state.find("optimizer_left_out"); why != state.end()) {
    fail(ExitCode::kCheckpoint, "a run cannot continue from {}", why->get<std::string>());
  }
  const bool counted = state.contains("counters") || state.contains("published_epoch");
  if (!counted || !state.contains("optimizer_steps")) {
    fail(ExitCode::kCheckpoint,
         "{} holds weights but no training state, so a run cannot continue from it", source);
  }
  load_model(parameters, checkpoint.model, source);
  LoadRules rules;
  // Upstream checkpoints may hold an EMA that the recipe does not use.
  const bool foreign = checkpoint.format == "pth";
  if (ema != nullptr || foreign) rules.unexpected.push_back(std::string(kEmaPrefix) + "*");
  load_optimizer(parameters, optimizer, checkpoint.optimizer, source, rules);
  if (ema != nullptr) load_ema(*ema, checkpoint.optimizer, source);
  optimizer.set_steps(state.at("optimizer_steps").get<int64_t>());
}

}  // namespace fcm::train
