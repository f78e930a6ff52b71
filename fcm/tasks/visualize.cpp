// The command visualize: sheets of a network's reconstructions, features and attention.
#include <fmt/format.h>

#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/interop/load_any.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/encoder_sheets.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/neighbour_sheet.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/reconstruct.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/teachers.h"
#include "fcm/tasks/trained_encoder.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/train/state.h"

namespace fcm::tasks {

namespace {

// The recipe's teachers; an EMA teacher gets its weights from the checkpoint.
std::unique_ptr<targets::Teachers> teachers_of(const TrainedModel& trained,
                                               const TeacherFiles& files, Reporter& reporter) {
  std::unique_ptr<targets::Teachers> teachers =
      load_teachers(trained.recipe, files, trained.model->device(), reporter);
  if (teachers && teachers->ema() != nullptr) {
    SilentReporter said_already;
    const checkpoint::Checkpoint whole = interop::load_any(trained.path, true, said_already);
    train::load_ema(teachers->ema()->parameters(), whole.optimizer, trained.path.string());
  }
  return teachers;
}

std::vector<NamedImage> read_images(const std::vector<std::string>& paths, int64_t channels) {
  std::vector<NamedImage> images;
  for (const std::string& path : paths) {
    if (path.empty()) fail(ExitCode::kUsage, "--images: one of its paths is empty");
    const std::string bytes = read_file(path, ExitCode::kData);
    const std::span<const uint8_t> span(reinterpret_cast<const uint8_t*>(bytes.data()),
                                        bytes.size());
    try {
      images.push_back(
          {std::filesystem::path(path).filename().string(), image::decode(span, channels)});
    } catch (const Error& error) {
      fail(error.code(), "{}: {}", path, error.what());
    }
  }
  return images;
}

image::Image reconstructions(const VisualizeRequest& request, Reporter& reporter) {
  const TrainedModel trained = load_trained_model(request.checkpoint, ModelUse::kReconstruction,
                                                  reporter, device_of(request.machine));
  const std::unique_ptr<targets::Teachers> teachers =
      teachers_of(trained, request.teachers, reporter);
  std::vector<image::Image> images;
  for (NamedImage& one : read_images(request.images, trained.recipe.data.channels)) {
    images.push_back(fit_to_recipe(one.image, trained.recipe));
  }
  return reconstruction_sheet(*trained.model, teachers.get(), trained.recipe, images, request.seed,
                              fmt::format("{}, step {}", trained.recipe.row.name, trained.step));
}

image::Image components(const VisualizeRequest& request, Reporter& reporter) {
  const TrainedEncoder encoder =
      load_trained_encoder(request.checkpoint, reporter, device_of(request.machine));
  return pca_sheet(encoder, read_images(request.images, encoder.recipe.data.channels));
}

image::Image attention(const VisualizeRequest& request, Reporter& reporter) {
  const TrainedModel trained = load_trained_model(request.checkpoint, ModelUse::kFeatures, reporter,
                                                  device_of(request.machine));
  return attention_sheet(trained, read_images(request.images, trained.recipe.data.channels),
                         request.patches);
}

Neighbours neighbours(const VisualizeRequest& request, int64_t threads, Reporter& reporter) {
  if (request.data.empty()) {
    fail(ExitCode::kUsage, "--what neighbours searches a data set: name it with --data");
  }
  const TrainedModel trained = load_trained_model(request.checkpoint, ModelUse::kFeatures, reporter,
                                                  device_of(request.machine));
  const int64_t channels = trained.recipe.data.channels;
  NeighbourRequest wanted;
  wanted.bank = with_optional_labels(
      open_images(request.data, loader::Split::kTrain, request.machine, reporter));
  wanted.k = request.k;
  wanted.threads = threads;
  if (request.images.empty()) {
    const auto asked = with_optional_labels(
        open_images(request.data, loader::Split::kVal, request.machine, reporter));
    wanted.queries = some_images(*asked, channels, wanted.query_classes, reporter);
  } else {
    wanted.queries = read_images(request.images, channels);
    wanted.query_classes.resize(wanted.queries.size());
  }
  return find_neighbours(trained, wanted, reporter);
}

}  // namespace

nlohmann::json visualize(const VisualizeRequest& request, Reporter& reporter) {
  refuse_other_ending(request.out, {".png"});
  const int64_t threads = set_up_machine(request.machine);
  std::vector<std::filesystem::path> reads(request.images.begin(), request.images.end());
  reads.push_back(request.checkpoint.path);
  refuse_to_replace(request.out, FileKind::kPng, request.overwrite, reads);
  const std::string& what = request.what;
  if (request.images.empty() && what != "neighbours") {
    fail(ExitCode::kUsage, "--images: expected at least one image");
  }
  nlohmann::json result = {{"out", request.out.string()}, {"what", what}};
  image::Image sheet;
  if (what == "reconstruction") {
    sheet = reconstructions(request, reporter);
  } else if (what == "pca") {
    sheet = components(request, reporter);
  } else if (what == "attention") {
    sheet = attention(request, reporter);
  } else if (what == "neighbours") {
    Neighbours found = neighbours(request, threads, reporter);
    sheet = std::move(found.sheet);
    result.update(found.list);
  } else {
    fail(ExitCode::kUsage, "--what {}: expected reconstruction, pca, attention or neighbours",
         what);
  }
  image::write_png(request.out, sheet);
  reporter.info(fmt::format("wrote {}", request.out.string()));
  return result;
}

}  // namespace fcm::tasks
