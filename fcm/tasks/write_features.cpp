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
#include "fcm/tasks/machine.h"
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
  if (ending != ".npy" && ending != ".safetensors") {
    fail(ExitCode::kUsage, "--out {} ends in neither .npy nor .safetensors", request.out.string());
  }
  std::vector<fs::path> files = {request.out, pictures_path(request.out)};
  if (ending == ".npy") files.push_back(formats::labels_path(request.out));
  for (const fs::path& file : files) {
    if (!request.overwrite && fs::exists(file)) {
      fail(ExitCode::kUsage, "{} exists; choose another --out, or pass --overwrite to replace it",
           file.string());
    }
    if (fs::exists(file) && !fs::is_regular_file(file)) {
      fail(ExitCode::kUsage,
           "{} is not an ordinary file, and is not replaced; choose another --out", file.string());
    }
  }
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
                                               const loader::Dataset& dataset) {
  return {{"checkpoint", trained.path.string()},
          {"step", fmt::format("{}", trained.step)},
          {"tokens", request.tokens},
          {"classes", nlohmann::json(dataset.classes())
                          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}};
}

}  // namespace

nlohmann::json write_features(const FeaturesRequest& request, Reporter& reporter) {
  constexpr const char* kWho = "features";
  const int64_t threads = set_up_machine(request.machine);
  check_request(request);
  const auto split = request.split == "train" ? loader::Split::kTrain : loader::Split::kVal;
  const eval::Selection selection{
      loader::open_dataset(request.data, split, open_options(request.machine)), eval::kEverything};
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
  formats::FeatureFile file(request.out, width, dataset.size(),
                            metadata_of(request, trained, dataset));
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
  names.finish();
  move_into_place(temporary, pictures, ExitCode::kUsage, kWho);
  file.finish();
  return {{"out", request.out.string()},
          {"pictures", pictures.string()},
          {"images", file.rows()},
          {"left_out", dataset.size() - file.rows()},
          {"width", width},
          {"tokens", request.tokens},
          {"classes", dataset.classes().size()}};
}

}  // namespace fcm::tasks
