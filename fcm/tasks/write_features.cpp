// features: what a frozen encoder makes of pictures, as a file for other programs.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/encoder/registry.h"
#include "fcm/eval/features.h"
#include "fcm/formats/feature_file.h"
#include "fcm/formats/json_text.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/picture_set.h"
#include "fcm/tasks/run_facts.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

fs::path pictures_path(const fs::path& out) {
  return fs::path(out).replace_extension(".pictures.tsv");
}

void check_request(const FeaturesRequest& request) {
  const std::string ending = request.out.extension();
  refuse_other_ending(request.out, {".npy", ".safetensors"});
  const std::vector<fs::path> reads = {request.data, request.checkpoint.path};
  const bool npy = ending == ".npy";
  const auto check = [&](const fs::path& file, FileKind kind) {
    refuse_to_replace(file, kind, request.overwrite, reads);
  };
  check(request.out, npy ? FileKind::kArray : FileKind::kFeatures);
  check(pictures_path(request.out), FileKind::kPicturesOfRows);
  if (npy) check(formats::labels_path(request.out), FileKind::kArray);
}

// [B, width]
at::Tensor chosen(const encoder::Features& features, const std::string& tokens) {
  if (tokens == "class") return features.class_latents_BGC.flatten(1).contiguous();
  const at::Tensor& latent_BLC = features.latent_BKC;
  return tokens == "mean" ? latent_BLC.mean(1) : latent_BLC.flatten(1).contiguous();
}

int64_t width_of(const TrainedModel& trained, const std::string& tokens) {
  const int64_t token = trained.recipe.encoder.dims.back();
  return tokens == "flat" ? trained.model->grid().patches() * token : token;
}

// Names of files may hold what ends a field or a line.
std::string field(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\t') {
      result += "\\t";
    } else if (letter == '\n') {
      result += "\\n";
    } else {
      result += letter;
    }
  }
  return result;
}

// One line a row of the features: number and name of its class, name of the picture.
std::string lines_of(const loader::Dataset& dataset, const loader::Batch& batch) {
  std::string lines;
  const std::vector<int64_t>& labels = batch.targets.labels();
  for (size_t i = 0; i < labels.size(); ++i) {
    const int64_t label = labels[i];
    const bool known = label >= 0 && label < std::ssize(dataset.classes());
    lines += fmt::format("{}\t{}\t{}\n", label,
                         known ? field(dataset.classes()[static_cast<size_t>(label)]) : "",
                         field(dataset.name(batch.sample_ids[i])));
  }
  return lines;
}

std::map<std::string, std::string> metadata_of(const FeaturesRequest& request,
                                               const TrainedModel& trained,
                                               const PictureSet& pictures) {
  return {{"checkpoint", trained.path.string()},
          {"step", fmt::format("{}", trained.step)},
          {"tokens", request.tokens},
          {"pictures", formats::json_text(summary_of(pictures))},
          {"classes", formats::json_text(pictures.classes)}};
}

}  // namespace

nlohmann::json write_features(const FeaturesRequest& request, Reporter& reporter) {
  constexpr const char* kWho = "features";
  const int64_t threads = set_up_machine(request.machine);
  check_request(request);
  const auto split = request.split == "train" ? loader::Split::kTrain : loader::Split::kVal;
  const eval::Selection selection{
      with_optional_labels(open_pictures(request.data, split, request.machine, reporter)),
      eval::kEverything};
  const loader::Dataset& dataset = *selection.dataset;
  const TrainedModel trained = load_trained_model(request.checkpoint, Needs::kFeatures, reporter,
                                                  device_of(request.machine));
  if (request.tokens == "class" && encoder::family(trained.recipe.model.kind).class_tokens == 0) {
    fail(ExitCode::kUsage,
         "--tokens class: {} is a {}, which has no class token; take mean or flat",
         trained.path.string(), trained.recipe.model.kind);
  }
  const int64_t width = width_of(trained, request.tokens);
  reporter.info(fmt::format("{}: {} features of width {} by {} (step {})", request.data,
                            dataset.size(), width, trained.path.string(), trained.step));
  const fs::path pictures = pictures_path(request.out), temporary = pictures.string() + ".tmp";
  FileWriter names(temporary, ExitCode::kUsage, kWho);
  names.write(std::string_view("label\tclass\tpicture\n"));
  const PictureSet described = describe_pictures(dataset, request.data, split);
  formats::FeatureFile file(request.out, width, dataset.size(),
                            metadata_of(request, trained, described));
  eval::stream_features(
      *trained.model, trained.recipe, selection, threads,
      [&](const encoder::Features& features, const loader::Batch& batch) {
        const at::Tensor rows = chosen(features, request.tokens);
        file.add({rows.const_data_ptr<float>(), static_cast<size_t>(rows.numel())},
                 batch.targets.labels());
        names.write(lines_of(dataset, batch));
        for (const loader::BadSample& bad : batch.bad) {
          reporter.warn(fmt::format("left out: {}", bad.reason));
        }
        reporter.progress(fmt::format("{} of {} pictures", file.rows(), dataset.size()));
      });
  if (file.rows() == 0) {
    fail(ExitCode::kData, "none of the {} pictures of {} can be read, so there are no features",
         dataset.size(), request.data);
  }
  names.finish();
  move_into_place(temporary, pictures, ExitCode::kUsage, kWho);
  file.finish();
  nlohmann::json result = {{"out", request.out.string()},
                           {"pictures", pictures.string()},
                           {"images", file.rows()},
                           {"left_out", dataset.size() - file.rows()},
                           {"width", width},
                           {"tokens", request.tokens},
                           {"classes", dataset.classes().size()},
                           {kMeasuredOn, summary_of(described)}};
  if (trained.trained_on) result[kTrainedOn] = summary_of(*trained.trained_on);
  return result;
}

}  // namespace fcm::tasks
