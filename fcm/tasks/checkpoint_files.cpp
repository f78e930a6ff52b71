// The commands checkpoint show, verify and diff.
#include <cmath>
#include <optional>
#include <string>

#include "fcm/base/error.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/diff.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/batch_counts.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/downstream_recipe.h"
#include "fcm/interop/facts.h"
#include "fcm/interop/load_any.h"
#include "fcm/tasks/file_progress.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {
namespace {

using checkpoint::Checkpoint;
using formats::TensorView;
using nlohmann::json;

int64_t elements(const TensorView& tensor) {
  int64_t count = 1;
  for (const int64_t extent : tensor.shape) count *= extent;
  return count;
}

json described(const interop::Architecture& found) {
  const encoder::EncoderOptions& encoder = found.encoder;
  json result = {
      {"kind", found.kind},       {"strides", encoder.strides},       {"dims", encoder.dims},
      {"depths", encoder.depths}, {"mlp_ratios", encoder.mlp_ratios}, {"channels", found.channels},
      {"patches", found.patches}, {"class_token", found.class_token}, {"classes", found.classes}};
  result["decoder"] = nullptr;
  if (found.decoder) {
    result["decoder"] = {{"dim", found.decoder->dim},
                         {"depth", found.decoder->depth},
                         {"mlp_ratio", found.decoder->mlp_ratio}};
    if (found.decoder->cross) {
      result["decoder"]["kind"] = "cross";
      result["decoder"]["reads"] = found.decoder->mixes ? "mix" : "latent";
    }
  }
  return result;
}

// The architecture of a checkpoint; of a segmenter or a detector, that of its encoder. nullopt:
// this program does not know it.
std::optional<interop::Architecture> architecture_of_any(const Checkpoint& checkpoint) try {
  if (interop::is_downstream(checkpoint)) {
    return interop::downstream_encoder(checkpoint);
  }
  return interop::recognise(checkpoint.model.tensors);
} catch (const Error&) {
  return std::nullopt;
}

// The recipe's text; null if it is unknown.
json recipe_text(const Checkpoint& checkpoint) try {
  return recipe::print_recipe(interop::is_downstream(checkpoint)
                                  ? interop::downstream_recipe(checkpoint, {})
                                  : recipe_of(checkpoint, {}));
} catch (const Error&) {
  return nullptr;
}

json number(double value) {
  if (std::isfinite(value)) return value;
  return "inf";  // JSON has no infinity
}

}  // namespace

json show_checkpoint(const std::filesystem::path& path, Reporter& reporter, int64_t threads) {
  const Checkpoint checkpoint = interop::load_any(path, false, reporter, threads);
  json tensors = json::array();
  int64_t trained = 0, all = 0;
  for (const TensorView& tensor : checkpoint.model.tensors) {
    tensors.push_back({{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}});
    all += elements(tensor);
    const bool frozen = interop::is_frozen_table(tensor.name, checkpoint.model.tensors) ||
                        interop::is_statistic(tensor.name);
    if (!frozen) trained += elements(tensor);
  }
  const json& state = checkpoint.state;
  const auto architecture = architecture_of_any(checkpoint);
  // An upstream file stores the index of the last finished epoch; native files store the number of
  // epochs.
  const json epoch = state.value("published_epoch", state.value("epoch", json()));
  const json steps = state.value("optimizer_steps", json());
  const bool native = checkpoint.format == "native";
  return {{"path", checkpoint.path.string()},
          {"format", checkpoint.format},
          {"architecture", architecture ? described(*architecture) : json()},
          {"parameters", trained},
          {"elements", all},
          {"epoch", epoch},
          {"step", native || checkpoint.step > 0 ? json(checkpoint.step) : steps},
          {"optimizer", steps.is_number()},
          {"scaler", state.value("scaler", json())},
          {"args", state.value("args", json())},
          {"trained_on", state.value("trained_on", json())},
          {"beside", interop::facts_in(checkpoint)},
          {"recipe", recipe_text(checkpoint)},
          {"tensors", tensors}};
}

json verify_checkpoint(const std::filesystem::path& path, Reporter& reporter, int64_t threads) {
  const FileProgress reading(reporter, "verify", bytes_of_checkpoint(path, Steps::kAll));
  json checked = json::array();
  for (const auto& one : interop::verify_any(path, threads)) checked.push_back(one.string());
  return {{"sound", true}, {"checked", checked}};
}

json diff_checkpoints(const std::filesystem::path& first, const std::filesystem::path& second,
                      Reporter& reporter, int64_t threads) {
  const FileProgress reading(
      reporter, "diff",
      bytes_of_checkpoint(first, Steps::kNewest) + bytes_of_checkpoint(second, Steps::kNewest));
  Checkpoint left = interop::load_any(first, true, reporter, threads);
  Checkpoint right = interop::load_any(second, true, reporter, threads);
  auto &left_tensors = left.model.tensors, &right_tensors = right.model.tensors;
  const bool moments = !left.optimizer.tensors.empty() && !right.optimizer.tensors.empty();
  if (moments) {
    const auto append = [](auto& list, const auto& more) {
      list.insert(list.end(), more.begin(), more.end());
    };
    append(left_tensors, left.optimizer.tensors);
    append(right_tensors, right.optimizer.tensors);
  }
  const formats::Comparison comparison = formats::compare(left_tensors, right_tensors);
  json differing = json::array();
  for (const auto& one : comparison.common) {
    if (one.equal_bits) continue;
    differing.push_back(
        {{"name", one.name}, {"max_abs", number(one.max_abs)}, {"max_rel", number(one.max_rel)}});
    if (!one.note.empty()) differing.back()["note"] = one.note;
  }
  return {{"equal", comparison.equal()},
          {"compared", comparison.common.size()},
          {"moments_compared", moments},
          {"tensors", differing},
          {"only_in_first", comparison.only_in_first},
          {"only_in_second", comparison.only_in_second}};
}

}  // namespace fcm::tasks
