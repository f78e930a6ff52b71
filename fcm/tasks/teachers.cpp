#include "fcm/tasks/teachers.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/interop/teacher_file.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

// A table of positions as large as the tower's stays; another one is resized, and `kept` owns it.
void fit_positions(formats::TensorFile& file, const targets::Teacher& teacher,
                   train::PublishedTensors& kept) {
  const int64_t wanted = 1 + teacher.grid().patches();
  for (formats::TensorView& view : file.tensors) {
    const bool positions = view.name == "pos_embed" || view.name == "visual.positional_embedding";
    const size_t dimensions = view.shape.size();
    if (!positions || dimensions < 2 || view.shape[dimensions - 2] == wanted) continue;
    kept.add(view.name, targets::resized_positions(train::to_tensor(view), teacher.grid()));
    view = kept.views.back();
  }
}

const char* name_of(interop::TeacherKind kind) {
  return kind == interop::TeacherKind::kClip ? "clip" : "dino";
}

void read_tower(const std::string& name, targets::Teacher& teacher,
                const std::filesystem::path& path) {
  interop::TeacherFile file = interop::read_teacher(path);
  if (name_of(file.kind) != name) {
    fail(ExitCode::kCheckpoint, "--teacher {}={}: the file holds a tower of {}", name,
         path.string(), name_of(file.kind));
  }
  train::PublishedTensors kept;
  fit_positions(file.model, teacher, kept);
  train::load_model(teacher.parameters(), file.model,
                    fmt::format("--teacher {}={}", name, path.string()));
}

}  // namespace

std::unique_ptr<targets::Teachers> load_teachers(const recipe::Recipe& recipe,
                                                 const TeacherFiles& files, at::Device device) {
  std::unique_ptr<targets::Teachers> teachers;
  std::map<std::string, targets::Teacher*> wanted;
  if (!recipe.pretrain().targets.features().empty()) {
    teachers = std::make_unique<targets::Teachers>(recipe.pretrain().targets,
                                                   recipe::student_of(recipe), device);
    wanted = teachers->of_files();
  }
  for (const auto& [name, path] : files) {
    if (wanted.contains(name)) continue;
    fail(ExitCode::kUsage,
         "--teacher {}={}, but the recipe wants no file of that name; see [targets]", name,
         path.string());
  }
  for (const auto& [name, teacher] : wanted) {
    const auto file = files.find(name);
    if (file == files.end()) {
      fail(ExitCode::kCheckpoint,
           "the recipe reconstructs features of {0}, whose published weights are needed: "
           "--teacher {0}=FILE",
           name);
    }
    read_tower(name, *teacher, file->second);
  }
  return teachers;
}

}  // namespace fcm::tasks
