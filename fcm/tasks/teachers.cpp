#include "fcm/tasks/teachers.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/interop/teacher_file.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/fit_positions.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

// Published towers were trained on square pictures. What is returned owns tables that are resized.
std::vector<at::Tensor> resize_positions(formats::TensorFile& file, masks::Grid grid) {
  std::vector<at::Tensor> owners;
  for (formats::TensorView& view : file.tensors) {
    if (view.name != "pos_embed" && view.name != "visual.positional_embedding") continue;
    if (view.shape.size() < 2) continue;  // load_model says what does not fit
    const int64_t patches = view.shape[view.shape.size() - 2] - 1;
    owners.push_back(fit_positions(view, /*class_tokens=*/1, square_of(patches), grid));
  }
  return owners;
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
  const std::vector<at::Tensor> owners = resize_positions(file.model, teacher.grid());
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
