// The command checkpoint convert, which writes a checkpoint in another format.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/new_folders.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/about.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/backbone.h"
#include "fcm/interop/detectron2.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/downstream_recipe.h"
#include "fcm/interop/facts.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/plain_decoder.h"
#include "fcm/interop/published.h"
#include "fcm/interop/published_recipe.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/convert_onnx.h"
#include "fcm/tasks/convert_segmenter.h"
#include "fcm/tasks/file_progress.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/run_files.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using interop::Downstream;
using interop::is_downstream;
using nlohmann::json;

// Formats that are a single PyTorch file.
bool is_pth(const std::string& format) {
  return format == "pth" || format == "encoder" || format == "mmseg" || format == "detectron2";
}

// Throws Error(kUsage) if --to and the file's ending disagree, because one of them is a mistake.
void refuse_ending_of_another(const ConvertRequest& request) {
  if (request.to == "safetensors") return refuse_other_ending(request.out, {".safetensors"});
  if (is_pth(request.to)) {  // accepts every ending that is read as .pth
    return refuse_other_ending(request.out, {".pth", ".pt", ".bin", ".ckpt", ".tar"});
  }
  if (request.to == "onnx") return refuse_other_ending(request.out, {".onnx"});
  const std::string ending = request.out.extension();
  if (ending == ".pth" || ending == ".safetensors" || ending == ".onnx") {
    fail(ExitCode::kUsage, "{} ends in {}, and --to {} writes a folder", request.out.string(),
         ending, request.to);
  }
}

std::string format_of(const ConvertRequest& request) {
  const std::string ending = request.out.extension();
  if (!request.to.empty()) {
    refuse_ending_of_another(request);
    return request.to;
  }
  if (ending == ".pth") return "pth";
  if (ending == ".safetensors") return "safetensors";
  if (ending == ".onnx") return "onnx";
  fail(ExitCode::kUsage,
       "{} ends in neither .pth nor .safetensors nor .onnx; name the format: --to native, pth, "
       "safetensors, hf, encoder, timm, transformers, mmseg, detectron2 or onnx",
       request.out.string());
}

// Whether a folder holds the output of a conversion to hf, timm or transformers: weights, and a
// config.json of that format. A config.json without weights may belong to another program.
bool holds_model_of(const fs::path& folder, const std::string& format) {
  std::error_code ignored;
  const fs::path file = folder / "config.json";
  if (!fs::is_regular_file(folder / "model.safetensors", ignored)) return false;
  if (!fs::is_regular_file(file, ignored)) return false;
  const json config = json::parse(read_file(file, ExitCode::kCheckpoint), nullptr, false);
  if (!config.is_object()) return false;
  // Other programs also write models in the formats of timm and transformers.
  if (format != "hf" && !is_written_here(folder / "model.safetensors")) return false;
  if (format == "timm") return config.contains("architecture");
  if (!config.contains("model_type")) return false;
  const json& type = config.at("model_type");
  return format == "hf" ? type == "fastconvmae" : type == "vit" || type == "swin";
}

// Whether a folder has at most one checkpoint, which this program wrote, and is not part of a run.
// A conversion to native leaves one checkpoint in its folder; in the folder of a run it would
// delete all others.
bool holds_one_step(const fs::path& folder) {
  return checkpoint::has_steps(folder) && checkpoint::count_steps(folder) <= 1 &&
         !checkpoint::first_foreign_step(folder) &&
         !is_run(fs::absolute(folder / "").lexically_normal().parent_path().parent_path());
}

// The folder that contains a checkpoint: "x" for "x/step-3", "x/step-3/" and
// "x/step-3/model.safetensors". Empty if the path is not in a checkpoint.
fs::path folder_of_step(const fs::path& path) {
  const fs::path whole = path.has_filename() ? path : path.parent_path();
  const fs::path step = checkpoint::is_step(whole) ? whole : whole.parent_path();
  if (!checkpoint::is_step(step)) return {};
  return step.has_parent_path() ? step.parent_path() : fs::path(".");
}

// Throws Error(kUsage) if something is at `out`. With --overwrite, the output of an earlier
// conversion to the same format may be replaced.
void refuse_occupied(const ConvertRequest& request, const std::string& format) {
  const fs::path& out = request.out;
  if (is_pth(format) || format == "safetensors" || format == "onnx") {
    const FileKind kind = format == "safetensors" ? FileKind::kWeights
                          : format == "onnx"      ? FileKind::kOnnx
                                                  : FileKind::kPth;
    return refuse_to_replace(out, kind, request.overwrite, {request.checkpoint.path});
  }
  refuse_impossible_folder(out);
  std::error_code error;
  const fs::file_type type = fs::symlink_status(out, error).type();
  if (type == fs::file_type::not_found) return;
  if (fs::is_directory(out, error) && fs::is_empty(out, error)) return;
  if (fs::equivalent(out, request.checkpoint.path, error)) {
    fail(ExitCode::kUsage, "{} is the input and cannot be replaced; choose another name",
         out.string());
  }
  if (fs::equivalent(out, folder_of_step(request.checkpoint.path), error)) {
    fail(ExitCode::kUsage, "{} holds the input {} and cannot be replaced; choose another name",
         out.string(), request.checkpoint.path.string());
  }
  if (format == "native" && checkpoint::is_step(out)) {
    fail(
        ExitCode::kUsage,
        "{} is one checkpoint, and --to native writes a folder that holds one; choose another name",
        out.string());
  }
  const bool replaceable = format == "native" ? holds_one_step(out) : holds_model_of(out, format);
  if (!replaceable) {
    fail(ExitCode::kUsage, "{} exists and is not a {} checkpoint; choose another name",
         out.string(), format);
  }
  if (!request.overwrite) {
    fail(ExitCode::kUsage, "{} exists; choose another name, or pass --overwrite to replace it",
         out.string());
  }
  if (format == "native") return;
  for (const char* name : {"model.safetensors", "config.json", "preprocessor_config.json"}) {
    refuse_link_or_temporary(out / name);
  }
}

// The index of the last finished epoch, from 0, as upstream programs count.
int64_t published_epoch(const Checkpoint& checkpoint, Reporter& reporter) {
  const auto published = checkpoint.state.find("published_epoch");
  if (published != checkpoint.state.end()) return published->get<int64_t>();
  const double done = checkpoint.state.value("epoch", 0.0);
  const double whole = std::floor(done + 1e-6);
  if (done - whole > 1e-6) {
    reporter.warn(fmt::format(
        "step {} is in the middle of epoch {}, which upstream programs will start again",
        checkpoint.step, whole));
  }
  return static_cast<int64_t>(whole) - 1;
}

// The recipe of a checkpoint; nullopt if it is not stored and cannot be inferred. An inferred
// recipe is used, but without --set it is not written to the converted file, where it would look
// like a stored one.
struct Known {
  std::optional<recipe::Recipe> recipe;
  std::string text;  // to be written; empty: inferred
};

Known recipe_for(const Checkpoint& checkpoint, const std::vector<std::string>& set) {
  Known known;
  const auto stored = checkpoint.state.find("recipe");
  const bool carried = stored != checkpoint.state.end();
  try {
    known.recipe = is_downstream(checkpoint) ? interop::downstream_recipe(checkpoint, set)
                                             : recipe_of(checkpoint, set);
    if (carried) {  // writes the recipe of the checkpoint's own task; recipe_of is for its encoder
      known.text = recipe::print_recipe(
          recipe::read_stored_recipe(stored->get<std::string>(), checkpoint.path.string(), set));
    } else if (!set.empty()) {
      known.text = recipe::print_recipe(*known.recipe);
    }
  } catch (const Error&) {
    if (carried || !set.empty()) throw;
  }
  return known;
}

// The contents of the optimizer's file, by kind.
struct TrainingState {
  std::vector<formats::TensorView> moments, average;
  size_t others = 0;  // number of other tensors: the momentum of a probe
};

TrainingState training_state_of(const Checkpoint& checkpoint) {
  TrainingState state;
  for (const formats::TensorView& tensor : checkpoint.optimizer.tensors) {
    if (tensor.name.starts_with(checkpoint::kEmaPrefix)) {
      state.average.push_back(tensor);
    } else if (tensor.name.starts_with("exp_avg")) {
      state.moments.push_back(tensor);
    } else {
      ++state.others;
    }
  }
  return state;
}

// The facts that files next to the weights stated, as JSON text, so that the converted file is read
// the same way. Empty if there are none, or if a recipe is written, which has them.
std::string facts_text(const Checkpoint& checkpoint, const Known& known) {
  const json facts = interop::facts_in(checkpoint);
  return known.text.empty() && !facts.empty() ? facts.dump() : std::string();
}

void write_pth(const fs::path& path, const Checkpoint& checkpoint, const Known& known,
               Reporter& reporter) {
  const json& state = checkpoint.state;
  const recipe::Recipe recipe = known.recipe.value_or(recipe::Recipe{});
  interop::PublishedFile file;
  file.model = checkpoint.model.tensors;
  const TrainingState training = training_state_of(checkpoint);
  file.moments = training.moments;
  file.average = training.average;
  if (training.others > 0) {
    reporter.warn("the momentum of the probe is left out: upstream files cannot hold it");
  }
  if (!training.moments.empty()) file.optimizer = interop::published_optimizer(recipe, state);
  file.epoch = published_epoch(checkpoint, reporter);
  file.scaler = state.value("scaler", json());
  file.args = json::object();
  if (state.contains("args")) {
    file.args = state.at("args");
  } else if (recipe.is<recipe::Pretrain>()) {  // published_args knows only those of pretraining
    file.args = interop::published_args(recipe);
  }
  file.recipe = known.text;
  file.about = interop::about_text(state);
  file.facts = facts_text(checkpoint, known);
  interop::write_published(path, file);
}

std::vector<formats::TensorView> in_order(const Checkpoint& checkpoint) {
  std::vector<formats::TensorView> tensors = checkpoint.model.tensors;
  interop::sort_as_published(tensors);
  return tensors;
}

void write_safetensors(const fs::path& file, const Checkpoint& checkpoint, const Known& known) {
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  if (!known.text.empty()) metadata["recipe"] = known.text;
  const std::string about = interop::about_text(checkpoint.state);
  if (!about.empty()) metadata[interop::kAboutKey] = about;
  if (std::string facts = facts_text(checkpoint, known); !facts.empty()) {
    metadata[interop::kFactsKey] = std::move(facts);
  }
  formats::write_safetensors(file, in_order(checkpoint), metadata);
}

// The sizes that other tools need to build the model.
json config_of(const recipe::Recipe& recipe) {
  const auto& encoder = recipe.encoder;
  const auto& decoder = recipe.pretrain().decoder;
  const std::vector<int64_t>& heads = encoder.heads.values;
  json config = {{"model_type", "fastconvmae"},
                 {"kind", recipe.model.kind},
                 {"image_size", recipe.data.image_size},
                 {"num_channels", recipe.data.channels},
                 {"encoder",
                  {{"strides", encoder.strides},
                   {"dims", encoder.dims},
                   {"depths", encoder.depths},
                   {"heads", heads.size() == 1 ? json(heads[0]) : json(heads)},
                   {"mlp_ratios", encoder.mlp_ratios},
                   {"norm_epsilon", encoder.norm_epsilon},
                   {"window", encoder.window}}},
                 {"decoder",
                  {{"dim", decoder.dim},
                   {"depth", decoder.depth},
                   {"heads", decoder.heads},
                   {"mlp_ratio", decoder.mlp_ratio}}},
                 {"mask_ratio", recipe.pretrain().masks.ratio},
                 {"norm_pix_loss", recipe.pretrain().targets.norm_pix},
                 {"image_mean", recipe.data.mean},
                 {"image_std", recipe.data.stddev}};
  if (decoder.cross()) {
    config["decoder"]["kind"] = decoder.kind;
    config["decoder"]["reads"] = decoder.reads;
  }
  return config;
}

void write_hf(const fs::path& folder, const Checkpoint& checkpoint, const Known& known) {
  if (!known.recipe) recipe_of(checkpoint, {});  // throws an error that says what is unknown
  json config = config_of(*known.recipe);
  if (!known.text.empty()) config["recipe"] = known.text;
  NewFolders folders(folder, ExitCode::kCheckpoint, "checkpoint");
  write_safetensors(folder / "model.safetensors", checkpoint, known);
  write_file_durably(folder / "config.json", config.dump(2) + "\n", ExitCode::kCheckpoint,
                     "checkpoint");
  folders.keep();
}

void write_native(const fs::path& folder, const Checkpoint& checkpoint, const Known& known) {
  json state = checkpoint.state;
  if (!known.text.empty()) state["recipe"] = known.text;
  NewFolders folders(folder, ExitCode::kCheckpoint, "checkpoint");
  checkpoint::save(folder, checkpoint.step, in_order(checkpoint), checkpoint.optimizer.tensors,
                   state, {.keep_last = 1});
  folders.keep();
}

// Throws Error(kUsage) if the format cannot hold the checkpoint. Segmenters and detectors have
// their own formats, and the formats of encoders cannot hold their encoders.
void refuse_other_format(const Checkpoint& checkpoint, const std::string& format) {
  const std::string source = checkpoint.path.string();
  const Downstream found = interop::downstream_of(checkpoint);
  if (format == "mmseg" && found != Downstream::kSegmenter) {
    fail(ExitCode::kUsage, "--to mmseg: {} is not a segmenter; take pth", source);
  }
  if (format == "detectron2" && found != Downstream::kDetector) {
    fail(ExitCode::kUsage, "--to detectron2: {} is not a detector; take pth", source);
  }
  const bool of_encoders = format == "hf" || interop::is_backbone_format(format);
  if (found == Downstream::kNone || !of_encoders) return;
  const bool segments = found == Downstream::kSegmenter;
  fail(ExitCode::kUsage,
       "--to {}: {} is {}, whose encoder has {}, which that format cannot hold; take {}, pth, "
       "safetensors or native",
       format, source, interop::name_of(found),
       segments ? "relative positions and layer scales" : "tables of relative positions",
       segments ? "mmseg" : "detectron2");
}

// Removes the moments of segmenters and detectors unless the format is native: upstream files
// number the optimizer's groups and cannot hold the groups of these models.
void drop_downstream_moments(Checkpoint& checkpoint, const std::string& format,
                             Reporter& reporter) {
  if (!is_downstream(checkpoint) || format == "native") return;
  if (checkpoint.optimizer.tensors.empty()) return;
  checkpoint.optimizer.tensors.clear();
  if (!is_pth(format)) return;  // no warning: these formats only hold weights
  reporter.warn(fmt::format(
      "moments are left out: {} is {}, which can only resume in the folder of its own run",
      checkpoint.path.string(), interop::name_of(interop::downstream_of(checkpoint))));
}

int64_t bytes_of_tensors(const Checkpoint& checkpoint) {
  int64_t bytes = 0;
  for (const auto* file : {&checkpoint.model, &checkpoint.optimizer}) {
    for (const formats::TensorView& tensor : file->tensors) bytes += std::ssize(tensor.bytes);
  }
  return bytes;
}

}  // namespace

json convert_checkpoint(const ConvertRequest& request, Reporter& reporter) {
  const std::string format = format_of(request);
  if (format != "onnx") refuse_onnx_options(request);
  refuse_occupied(request, format);
  if (format == "onnx") return convert_to_onnx(request, reporter);
  Checkpoint checkpoint = [&] {
    const FileProgress reading(reporter, "read",
                               bytes_of_checkpoint(request.checkpoint.path, Steps::kNewest));
    return interop::load_any(request.checkpoint.path, true, reporter, request.threads);
  }();
  refuse_other_format(checkpoint, format);
  drop_downstream_moments(checkpoint, format, reporter);
  const Known known = recipe_for(checkpoint, request.checkpoint.set);
  // These formats store values of the recipe, so assumptions about it are reported.
  if (known.recipe && (format == "hf" || format == "timm" || format == "transformers")) {
    report_assumptions(checkpoint, request.checkpoint.set, ModelUse::kReconstruction, reporter);
  }
  if (known.recipe && known.recipe->is<recipe::Pretrain>()) {
    const std::string source = checkpoint.path.string();
    interop::split_plain_decoder(checkpoint.model.tensors, *known.recipe, source);
    interop::split_plain_decoder(checkpoint.optimizer.tensors, *known.recipe, source);
  }
  const auto left_out = checkpoint.state.find("optimizer_left_out");
  if (left_out != checkpoint.state.end()) {
    reporter.warn(fmt::format("moments are left out: {}", left_out->get<std::string>()));
  }
  const size_t averaged = training_state_of(checkpoint).average.size();
  if (averaged > 0 && format != "pth" && format != "native") {
    reporter.warn(
        fmt::format("the EMA of the weights ({}) is left out: {} only holds "
                    "the weights",
                    counted(static_cast<int64_t>(averaged), "tensor", "tensors"), format));
  }
  const FileProgress writing(reporter, "write", bytes_of_tensors(checkpoint), Moved::kWritten);
  if (format == "pth") write_pth(request.out, checkpoint, known, reporter);
  if (format == "safetensors") write_safetensors(request.out, checkpoint, known);
  if (format == "hf") write_hf(request.out, checkpoint, known);
  if (format == "native") write_native(request.out, checkpoint, known);
  if (format == "mmseg") write_mmseg_of(request.out, checkpoint, known.recipe, known.text);
  if (format == "detectron2") {
    interop::write_detectron2(request.out, {checkpoint.model.tensors, checkpoint.step, known.text,
                                            interop::about_text(checkpoint.state)});
  }
  size_t tensors = checkpoint.model.tensors.size();
  if (interop::is_backbone_format(format)) {
    if (!known.recipe) recipe_of(checkpoint, {});  // throws an error that says what is unknown
    tensors = interop::write_backbone(format, request.out, checkpoint, *known.recipe, known.text,
                                      reporter);
  }
  const bool with_moments = format == "pth" || format == "native";
  return {{"from", checkpoint.format},
          {"to", format},
          {"tensors", tensors},
          {"moments", with_moments ? checkpoint.optimizer.tensors.size() : 0},
          {"out", request.out.string()}};
}

}  // namespace fcm::tasks
