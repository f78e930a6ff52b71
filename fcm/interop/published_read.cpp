// Reads an upstream training file into a checkpoint::Checkpoint.

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/formats/plain_data.h"
#include "fcm/interop/about.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/batch_counts.h"
#include "fcm/interop/detector_names.h"
#include "fcm/interop/detectron2.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/mmseg.h"
#include "fcm/interop/published.h"
#include "fcm/interop/segmenter_names.h"
#include "fcm/interop/transformers.h"
#include "fcm/interop/unread_tensors.h"

namespace fcm::interop {
namespace {

using nlohmann::json;

bool holds_tensors(const formats::Value& value) {
  const auto* dict = std::get_if<formats::Value::Dict>(&value.data);
  return dict != nullptr &&
         std::any_of(dict->items.begin(), dict->items.end(), [](const auto& item) {
           return std::holds_alternative<formats::Value::Tensor>(item.value.data);
         });
}

std::vector<formats::TensorView> tensors_of(const formats::Value::Dict& state_dict,
                                            const formats::PthFile& file) {
  std::vector<formats::TensorView> tensors;
  for (const auto& [key, value] : state_dict.items) {
    const auto* name = std::get_if<std::string>(&key.data);
    const auto* tensor = std::get_if<formats::Value::Tensor>(&value.data);
    if (name == nullptr || tensor == nullptr) continue;
    tensors.push_back(file.tensors.at(tensor->index));
    tensors.back().name = *name;
  }
  return tensors;
}

const formats::Value& member(const formats::Value& value, const char* key,
                             const std::string& source) {
  const formats::Value* found = value.find(key);
  if (found == nullptr) fail(ExitCode::kCheckpoint, "{}: its optimizer has no {}", source, key);
  return *found;
}

// The numbers of all parameter groups, concatenated.
std::vector<int64_t> parameter_numbers(const formats::Value& optimizer, const std::string& source) {
  std::vector<int64_t> numbers;
  const auto* groups =
      std::get_if<formats::Value::List>(&member(optimizer, "param_groups", source).data);
  if (groups == nullptr) fail(ExitCode::kCheckpoint, "{}: param_groups is not a list", source);
  for (const formats::Value& group : *groups) {
    const auto* list = std::get_if<formats::Value::List>(&member(group, "params", source).data);
    if (list == nullptr) fail(ExitCode::kCheckpoint, "{}: params is not a list", source);
    for (const formats::Value& number : *list) {
      const auto* value = std::get_if<int64_t>(&number.data);
      if (value == nullptr)
        fail(ExitCode::kCheckpoint, "{}: params holds something other than numbers", source);
      numbers.push_back(*value);
    }
  }
  return numbers;
}

template <typename T>
double single(const formats::TensorView& tensor) {
  T value;
  std::memcpy(&value, tensor.bytes.data(), sizeof value);
  return static_cast<double>(value);
}

// A step count: a Python number, or a tensor of one element.
int64_t count_of(const formats::Value& value, const formats::PthFile& file,
                 const std::string& source) {
  double count = -1;
  if (const auto* whole = std::get_if<int64_t>(&value.data)) count = static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&value.data)) count = *number;
  if (const auto* tensor = std::get_if<formats::Value::Tensor>(&value.data)) {
    const formats::TensorView& view = file.tensors.at(tensor->index);
    if (view.dtype == "F32" && view.bytes.size() == sizeof(float)) count = single<float>(view);
    if (view.dtype == "F64" && view.bytes.size() == sizeof(double)) count = single<double>(view);
    if (view.dtype == "I64" && view.bytes.size() == sizeof(int64_t)) count = single<int64_t>(view);
  }
  const bool sound = count >= 0 && count < 9e15 && count == static_cast<double>(int64_t(count));
  if (!sound) fail(ExitCode::kCheckpoint, "{}: a step count is not a whole number", source);
  return static_cast<int64_t>(count);
}

struct Moments {
  std::vector<formats::TensorView> tensors;
  int64_t steps = 0;
};

formats::TensorView moment_of(const formats::Value& state, const char* key,
                              const formats::TensorView& parameter, const formats::PthFile& file,
                              const std::string& source) {
  const auto* tensor = std::get_if<formats::Value::Tensor>(&member(state, key, source).data);
  if (tensor == nullptr) fail(ExitCode::kCheckpoint, "{}: {} is not a tensor", source, key);
  formats::TensorView view = file.tensors.at(tensor->index);
  if (view.shape != parameter.shape) {
    fail(ExitCode::kCheckpoint,
         "{}: its optimizer numbers parameters in another order than the upstream programs: "
         "the {} in the place of {} has another shape",
         source, key, parameter.name);
  }
  view.name = fmt::format("{}.{}", key, parameter.name);
  return view;
}

Moments moments_of(const formats::Value& optimizer, std::span<const formats::TensorView> model,
                   const formats::PthFile& file, const std::string& source) {
  const std::vector<const formats::TensorView*> order = optimizer_order(model);
  const std::vector<int64_t> numbers = parameter_numbers(optimizer, source);
  if (numbers.size() != order.size()) {
    fail(ExitCode::kCheckpoint, "{}: its optimizer has {} parameters, the model {}", source,
         numbers.size(), order.size());
  }
  const auto* states = std::get_if<formats::Value::Dict>(&member(optimizer, "state", source).data);
  if (states == nullptr) fail(ExitCode::kCheckpoint, "{}: state is not a dict", source);
  std::map<int64_t, const formats::Value*> by_number;
  for (const auto& [key, value] : states->items) {
    if (const auto* number = std::get_if<int64_t>(&key.data)) by_number[*number] = &value;
  }
  Moments moments;
  for (const char* key : {"exp_avg", "exp_avg_sq"}) {
    for (size_t i = 0; i < order.size(); ++i) {
      const auto state = by_number.find(numbers[i]);
      if (state == by_number.end()) {
        fail(ExitCode::kCheckpoint, "{}: its optimizer has no state of {}", source, order[i]->name);
      }
      moments.tensors.push_back(moment_of(*state->second, key, *order[i], file, source));
      const int64_t steps = count_of(member(*state->second, "step", source), file, source);
      if (i == 0) moments.steps = steps;
      if (steps != moments.steps) {
        fail(ExitCode::kCheckpoint,
             "{}: its optimizer updated {} {} times and {} {} times; this program keeps one count",
             source, order[0]->name, moments.steps, order[i]->name, steps);
      }
    }
  }
  return moments;
}

// The moving average as "ema.<name>"; empty if the file has no such state_dict.
std::vector<formats::TensorView> average_of(const formats::PthFile& file,
                                            const std::string& source) {
  const formats::Value* found = file.root.find(kAverageKey);
  if (found == nullptr || !holds_tensors(*found)) return {};
  std::vector<formats::TensorView> average =
      tensors_of(std::get<formats::Value::Dict>(found->data), file);
  rename_as_published(average, source);
  std::erase_if(average, [](const formats::TensorView& one) { return is_window_buffer(one.name); });
  for (formats::TensorView& tensor : average) tensor.name.insert(0, checkpoint::kEmaPrefix);
  return average;
}

double weight_decay_of(const formats::Value& group) {
  const formats::Value* found = group.find("weight_decay");
  const auto* decay = found ? std::get_if<double>(&found->data) : nullptr;
  return decay ? *decay : 0;
}

// Takes the settings of the parameter group with the largest weight decay: the last one of MAE's
// files, the first one of SimMIM's.
void take_settings(const formats::Value& optimizer, json& state) {
  const formats::Value* groups = optimizer.find("param_groups");
  const auto* list = groups ? std::get_if<formats::Value::List>(&groups->data) : nullptr;
  if (list == nullptr || list->empty()) return;
  const formats::Value* decayed = &list->front();
  for (const formats::Value& group : *list) {
    if (weight_decay_of(group) >= weight_decay_of(*decayed)) decayed = &group;
  }
  json settings = json::object();
  for (const char* key : {"lr", "weight_decay", "betas", "eps"}) {
    if (const formats::Value* found = decayed->find(key)) settings[key] = formats::to_json(*found);
  }
  state["optimizer"] = settings;
}

void take_facts(const formats::Value& root, json& state) {
  const formats::Value* epoch = root.find("epoch");
  if (const auto* number = epoch ? std::get_if<int64_t>(&epoch->data) : nullptr) {
    state["published_epoch"] = *number;
    state["epoch"] = *number + 1;
  }
  for (const char* key : {"scaler", "args"}) {
    if (const formats::Value* found = root.find(key)) state[key] = formats::to_json(*found);
  }
  // Files that this program converted have facts about the weights (facts.h).
  const formats::Value* facts = root.find("facts");
  if (const auto* text = facts ? std::get_if<std::string>(&facts->data) : nullptr) {
    json read = json::parse(*text, nullptr, false);
    if (read.is_object()) state["facts"] = std::move(read);
  }
  const formats::Value* recipe = root.find("recipe");
  if (const auto* text = recipe ? std::get_if<std::string>(&recipe->data) : nullptr) {
    state["recipe"] = *text;
  }
  const formats::Value* about = root.find(kAboutKey);
  if (const auto* text = about ? std::get_if<std::string>(&about->data) : nullptr) {
    read_about(*text, state);
  }
}

// Tells the user about the other sets of weights in a file.
void report_other_weights(const Weights& weights, const std::string& source, Reporter& reporter) {
  if (weights.others.empty()) return;
  std::string others;
  for (const Weights::Other& other : weights.others) {
    others += fmt::format("{}\"{}\" ({} tensors)", others.empty() ? "" : ", ", other.label,
                          other.tensors);
  }
  reporter.info(fmt::format(
      "{}: using the weights {}; it also has {}: choose with --checkpoint {}::{}{}", source,
      weights.label.empty() ? "without a name in front" : fmt::format("\"{}\"", weights.label),
      others, source, weights.others.front().label,
      weights.remark.empty() ? "" : fmt::format(" ({})", weights.remark)));
}

// Renames to the upstream names of an encoder, its decoder and its heads.
void rename_encoder(checkpoint::Checkpoint& checkpoint, const std::string& source) {
  std::vector<formats::TensorView>& tensors = checkpoint.model.tensors;
  if (are_of_transformers(tensors)) {
    for (formats::TensorView& tensor : tensors) tensor.name = without_wrappers(tensor.name);
  }
  checkpoint.merged = from_transformers(tensors, source);
  rename_as_published(tensors, source);
  from_timm_swin(tensors);
  std::erase_if(tensors,
                [](const formats::TensorView& tensor) { return is_window_buffer(tensor.name); });
}

}  // namespace

void take_weights(std::vector<NamedTensors> dicts, const std::string& wanted,
                  checkpoint::Checkpoint& checkpoint, Reporter& reporter) {
  const std::string source = checkpoint.path.string();
  Weights weights = choose_weights(std::move(dicts), wanted, source);
  std::vector<formats::TensorView>& tensors = checkpoint.model.tensors;
  tensors = std::move(weights.tensors);
  const Downstream kind = downstream_of(tensors);
  if (kind == Downstream::kSegmenter) {
    checkpoint.merged = from_mmseg(tensors, source);
  } else if (kind == Downstream::kDetector) {
    checkpoint.merged = from_detectron2(tensors, source);
  } else {
    rename_encoder(checkpoint, source);
  }
  if (!weights.found || checkpoint.state.contains("recipe")) return;
  if (wanted.empty()) report_other_weights(weights, source, reporter);
  const auto take_out = kind == Downstream::kSegmenter  ? take_out_beside_segmenter
                        : kind == Downstream::kDetector ? take_out_beside_detector
                                                        : take_out_heads;
  std::vector<formats::TensorView> left_out = take_out(tensors);
  left_out.insert(left_out.end(), weights.beside.begin(), weights.beside.end());
  // Drops scalars, which are counters and losses, except the batch counts of batch normalisation.
  const auto scalars =
      std::stable_partition(tensors.begin(), tensors.end(), [](const formats::TensorView& tensor) {
        return !tensor.shape.empty() || tensor.name.ends_with(kBatchesSeen);
      });
  left_out.insert(left_out.end(), scalars, tensors.end());
  tensors.erase(scalars, tensors.end());
  if (left_out.empty()) return;
  reporter.info(fmt::format("{}: leaves out tensors beside the network: {}", source,
                            counted_by_first_word(left_out)));
}

checkpoint::Checkpoint from_pth(formats::PthFile file, const std::filesystem::path& path,
                                bool with_optimizer, Reporter& reporter,
                                const std::string& wanted) {
  const std::string source = path.string();
  checkpoint::Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.format = "pth";
  take_facts(file.root, checkpoint.state);
  refuse_unread_alone(file, source);
  if (const std::string unread = unread_tensors(file); !unread.empty()) {
    reporter.warn(fmt::format("{}: {}, which cannot be read and is left out", source, unread));
  }
  std::vector<NamedTensors> dicts = state_dicts(file);
  if (dicts.empty()) dicts.push_back({"", file.tensors});
  take_weights(std::move(dicts), wanted, checkpoint, reporter);
  const Downstream kind = downstream_of(checkpoint);
  if (kind == Downstream::kSegmenter) read_meta(file.root, checkpoint);
  if (kind == Downstream::kDetector) take_iteration(file.root, checkpoint);
  const formats::Value* optimizer = file.root.find("optimizer");
  if (optimizer != nullptr && kind != Downstream::kNone) {
    checkpoint.state["optimizer_left_out"] =
        fmt::format("{}: {} can only be resumed in its own run folder", source, name_of(kind));
  } else if (optimizer != nullptr && !wanted.empty()) {
    checkpoint.state["optimizer_left_out"] =
        fmt::format("{}: it belongs to the trained weights, not to {}", source, wanted);
  } else if (optimizer != nullptr) {
    try {
      Moments moments = moments_of(*optimizer, checkpoint.model.tensors, file, source);
      checkpoint.step = moments.steps;
      take_settings(*optimizer, checkpoint.state);
      checkpoint.state["optimizer_steps"] = moments.steps;
      if (with_optimizer) checkpoint.optimizer.tensors = std::move(moments.tensors);
    } catch (const Error& error) {
      checkpoint.state["optimizer_left_out"] = error.what();
    }
  }
  if (with_optimizer && wanted.empty() && kind == Downstream::kNone) {
    std::vector<formats::TensorView> average = average_of(file, source);
    std::move(average.begin(), average.end(), std::back_inserter(checkpoint.optimizer.tensors));
  }
  checkpoint.model.data = std::move(file.storage);
  checkpoint.optimizer.data = std::move(file.copies);
  return checkpoint;
}

}  // namespace fcm::interop
