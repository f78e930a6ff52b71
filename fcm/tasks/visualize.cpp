// Sheets of masks and reconstructions of any pictures.
#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/interop/load_any.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/reconstruct.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/teachers.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/train/state.h"

namespace fcm::tasks {

namespace {

// The teachers as they stood at that checkpoint.
std::unique_ptr<targets::Teachers> teachers_of(const TrainedModel& trained,
                                               const TeacherFiles& files) {
  std::unique_ptr<targets::Teachers> teachers =
      load_teachers(trained.recipe, files, trained.model->device());
  if (teachers && teachers->ema() != nullptr) {
    SilentReporter said_already;
    const checkpoint::Checkpoint whole = interop::load_any(trained.path, true, said_already);
    train::load_ema(teachers->ema()->parameters(), whole.optimizer, trained.path.string());
  }
  return teachers;
}

}  // namespace

void visualize(const CheckpointRequest& checkpoint, const std::vector<std::string>& images,
               const TeacherFiles& files, const std::filesystem::path& out, uint64_t seed,
               Machine machine, Reporter& reporter, bool overwrite) {
  refuse_other_ending(out, {".png"});
  set_up_machine(machine);
  std::vector<std::filesystem::path> reads(images.begin(), images.end());
  reads.push_back(checkpoint.path);
  refuse_to_replace(out, FileKind::kPng, overwrite, reads);
  const TrainedModel trained =
      load_trained_model(checkpoint, Needs::kPictures, reporter, device_of(machine));
  const std::unique_ptr<targets::Teachers> teachers = teachers_of(trained, files);
  std::vector<image::Image> pictures;
  for (const std::string& path : images) {
    const std::string bytes = read_file(path, ExitCode::kData);
    const std::span<const uint8_t> span(reinterpret_cast<const uint8_t*>(bytes.data()),
                                        bytes.size());
    try {
      pictures.push_back(
          fit_to_recipe(image::decode(span, trained.recipe.data.channels), trained.recipe));
    } catch (const Error& error) {
      fail(error.code(), "{}: {}", path, error.what());
    }
  }
  if (pictures.empty()) fail(ExitCode::kUsage, "--images names no picture");
  image::write_png(
      out, reconstruction_sheet(*trained.model, teachers.get(), trained.recipe, pictures, seed,
                                fmt::format("{}, step {}", trained.recipe.row.name, trained.step)));
  reporter.info(fmt::format("wrote {}", out.string()));
}

}  // namespace fcm::tasks
