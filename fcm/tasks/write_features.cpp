// The command features: writes features of a frozen encoder to a file for other programs.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/progress.h"
#include "fcm/encoder/registry.h"
#include "fcm/eval/features.h"
#include "fcm/eval/round_robin_batches.h"
#include "fcm/formats/feature_file.h"
#include "fcm/formats/json_text.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/image_set.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/run_facts.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

fs::path images_path(const fs::path& out) {
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
  check(images_path(request.out), FileKind::kImagesOfRows);
  if (npy) check(formats::labels_path(request.out), FileKind::kArray);
}

// The chosen features of a batch: [B, width].
at::Tensor chosen(const encoder::Features& features, const std::string& tokens) {
  if (tokens == "class") return features.class_latents_BGC.flatten(1).contiguous();
  const at::Tensor& latent_BLC = features.latent_BKC;
  return tokens == "mean" ? latent_BLC.mean(1) : latent_BLC.flatten(1).contiguous();
}

int64_t width_of(const TrainedModel& trained, const std::string& tokens) {
  const int64_t token = trained.recipe.encoder.dims.back();
  return tokens == "flat" ? trained.model->grid().patches() * token : token;
}

// Escapes tabs and line breaks, which file names may contain and which end a field or a line.
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

// One line per row of features: class index, class name, image name.
std::string lines_of(const loader::Dataset& dataset, const loader::Batch& batch,
                     const std::vector<int64_t>& labels) {
  std::string lines;
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
                                               const ImageSet& images) {
  return {{"checkpoint", trained.path.string()},
          {"step", fmt::format("{}", trained.step)},
          {"tokens", request.tokens},
          {"pictures", formats::json_text(summary_of(images))},
          {"classes", formats::json_text(images.classes)}};
}

// Writes the file of features and the list of their images.
class Files {
 public:
  Files(const fs::path& out, int64_t width, int64_t most_rows,
        std::map<std::string, std::string> metadata)
      : images_(images_path(out)),
        temporary_(images_.string() + ".tmp"),
        names_(temporary_, ExitCode::kUsage, kFailpoints),
        file_(out, width, most_rows, std::move(metadata)) {
    names_.write(std::string_view("label\tclass\tpicture\n"));
  }

  void add(const at::Tensor& rows, const at::Tensor& labels,
           const std::vector<std::string>& lines) {
    file_.add({rows.const_data_ptr<float>(), static_cast<size_t>(rows.numel())},
              {labels.const_data_ptr<int64_t>(), static_cast<size_t>(labels.numel())});
    for (const std::string& of_rank : lines) names_.write(of_rank);
  }
  void finish() {
    names_.finish();
    move_into_place(temporary_, images_, ExitCode::kUsage, kFailpoints);
    file_.finish();
  }

 private:
  static constexpr const char* kFailpoints = "features";

  const fs::path images_, temporary_;
  FileWriter names_;
  formats::FeatureFile file_;
};

}  // namespace

nlohmann::json write_features(const FeaturesRequest& request, Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  dist::Group& group = *request.machine.group;
  dist::on_first(group, [&] { check_request(request); });
  const auto split = request.split == "train" ? loader::Split::kTrain : loader::Split::kVal;
  const std::shared_ptr<const loader::Dataset> opened =
      with_optional_labels(open_images(request.data, split, request.machine, reporter));
  const loader::Dataset& dataset = *opened;
  const TrainedModel trained = load_trained_model(request.checkpoint, ModelUse::kFeatures, reporter,
                                                  device_of(request.machine));
  if (request.tokens == "class" && encoder::family(trained.recipe.model.kind).class_tokens == 0) {
    fail(ExitCode::kUsage,
         "--tokens class: {} is a {}, which has no class token; take mean or flat",
         trained.path.string(), trained.recipe.model.kind);
  }
  refuse_different_ranks(group, trained.recipe, request.data, dataset);
  const int64_t width = width_of(trained, request.tokens);
  reporter.info(fmt::format("{}: features of {}, of width {} by {} (step {})", request.data,
                            counted(dataset.size(), "image", "images"), width,
                            trained.path.string(), trained.step));
  const ImageSet described = describe_images(dataset, request.data, split);
  int64_t written = 0;
  std::optional<Files> files;  // only on rank 0
  if (group.writes()) {
    files.emplace(request.out, width, dataset.size(), metadata_of(request, trained, described));
  }
  Progress progress(reporter, "", dataset.size());
  eval::RoundRobinBatches batches(opened, trained.recipe, threads, group);
  for (loader::Batch batch; batches.next(batch);) {
    at::Tensor rows = at::empty({0, width});
    std::vector<int64_t> labels;
    if (batch.batch > 0) {
      rows =
          chosen(eval::features_of(*trained.model, trained.recipe, dataset, batch), request.tokens);
      labels = batch.targets.labels();
    }
    const at::Tensor all_rows = dist::gather_rows(group, rows);
    const at::Tensor all_labels =
        dist::gather_rows(group, at::tensor(at::ArrayRef<int64_t>(labels), at::kLong));
    const auto lines = dist::gather_texts(group, lines_of(dataset, batch, labels));
    for (const loader::BadSample& bad : batch.bad) {
      reporter.warn(fmt::format("left out: {}", bad.reason));
    }
    written += all_rows.size(0);
    if (files) files->add(all_rows, all_labels, lines);
    progress.add(all_rows.size(0));
  }
  if (written == 0) {
    fail(ExitCode::kData, "none of the {} images of {} can be read, so there are no features",
         dataset.size(), request.data);
  }
  if (files) files->finish();
  nlohmann::json result = {{"out", request.out.string()},
                           {"pictures", images_path(request.out).string()},
                           {"images", written},
                           {"left_out", dataset.size() - written},
                           {"width", width},
                           {"tokens", request.tokens},
                           {"classes", dataset.classes().size()},
                           {kMeasuredOn, summary_of(described)}};
  if (trained.trained_on) result[kTrainedOn] = summary_of(*trained.trained_on);
  return result;
}

}  // namespace fcm::tasks
