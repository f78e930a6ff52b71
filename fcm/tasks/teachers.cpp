#include "fcm/tasks/teachers.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/fit_positions.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

using targets::TeacherKind;
using targets::TeacherOptions;

nn::PositionFilter filter_of(const TeacherOptions& options) {
  if (options.kind != TeacherKind::kDinoV2) return nn::PositionFilter::kBicubic;
  return options.registers > 0 ? nn::PositionFilter::kAntialias : nn::PositionFilter::kOffset;
}

// `wanted` with the values of the file's tower that a recipe does not state.
TeacherOptions with_facts_of(TeacherOptions wanted, const TeacherOptions& file) {
  wanted.gelu = file.gelu;
  wanted.norm_epsilon = file.norm_epsilon;
  wanted.mean = file.mean;
  wanted.stddev = file.stddev;
  return wanted;
}

void refuse_other_tower(const std::string& name, const std::string& source,
                        const TeacherOptions& file, const TeacherOptions& wanted) {
  if (targets::target_of(file.kind) != name) {
    fail(ExitCode::kCheckpoint,
         "{}: the file holds {}, which is a teacher of targets.{}; pass it as --teacher {}={}",
         source, described(file), targets::target_of(file.kind), targets::target_of(file.kind),
         source.substr(source.find('=') + 1));
  }
  const bool same = file.kind == wanted.kind && file.dim == wanted.dim &&
                    file.depth == wanted.depth && file.stride == wanted.stride &&
                    file.registers == wanted.registers && file.channels == wanted.channels;
  if (!same) {
    const std::string size = name_of_size(file);
    fail(ExitCode::kCheckpoint, "{}: the file holds {}, and the recipe needs {}{}", source,
         described(file), described(wanted),
         size.empty() ? "; no targets." + name + "_tower has that size"
                      : "; take --set targets." + name + "_tower=" + size);
  }
  if (file.heads != 0 && file.heads != wanted.heads) {
    fail(ExitCode::kCheckpoint, "{}: the tower has {} heads, and the recipe's {}", source,
         file.heads, wanted.heads);
  }
  if (wanted.projected_dim > 0 && file.projected_dim == 0) {
    fail(ExitCode::kCheckpoint,
         "{}: the file has no projection (visual.proj, visual_projection or head), which "
         "targets.clip_feature = \"projected\" needs; take \"tokens\"",
         source);
  }
}

std::string source_of(const std::string& name, const std::filesystem::path& path) {
  return fmt::format("--teacher {}={}", name, path.string());
}

}  // namespace

void fill_teacher(targets::Teacher& teacher, interop::TeacherFile& file,
                  const std::string& source) {
  const TeacherOptions& options = file.options;
  std::vector<at::Tensor> resized_tensors;  // own the bytes of resized tables
  if (teacher.options().projected_dim == 0) {
    std::erase_if(file.model.tensors,
                  [](const formats::TensorView& one) { return one.name == "proj"; });
  }
  for (formats::TensorView& view : file.model.tensors) {
    if (view.name != "pos_embed" || view.shape.size() != 3) continue;
    // read_teacher assumes square images, on which all released towers were trained.
    const masks::Grid trained{options.rows / options.stride, options.cols / options.stride};
    const int64_t class_tokens = options.kind == TeacherKind::kSiglip ? 0 : 1;
    resized_tensors.push_back(
        fit_positions(view, class_tokens, trained, teacher.grid(), filter_of(options)));
  }
  train::load_model(teacher.parameters(), file.model, source);
}

std::unique_ptr<targets::Teachers> load_teachers(const recipe::Recipe& recipe,
                                                 const TeacherFiles& files, at::Device device,
                                                 Reporter& reporter) {
  const targets::TargetOptions& options = recipe.pretrain().targets;
  std::vector<std::string> wanted = options.features();
  const bool any = !wanted.empty();
  std::erase(wanted, "ema");
  for (const auto& [name, path] : files) {
    if (std::ranges::find(wanted, name) != wanted.end()) continue;
    fail(ExitCode::kUsage,
         "{}, but the recipe has no target of that name that needs a file; see [targets]",
         source_of(name, path));
  }
  if (!any) return nullptr;
  const targets::Student student = recipe::student_of(recipe);
  std::map<std::string, interop::TeacherFile> read;
  std::map<std::string, TeacherOptions> towers;
  for (const std::string& name : wanted) {
    const auto file = files.find(name);
    if (file == files.end() && is_random_tower(options, name)) continue;
    if (file == files.end()) {
      fail(ExitCode::kCheckpoint,
           "the recipe reconstructs features of {0}, whose published weights are needed: "
           "--teacher {0}=FILE",
           name);
    }
    interop::TeacherFile& teacher = read[name] = interop::read_teacher(file->second);
    const TeacherOptions tower = tower_options(options, name, student.grid.rows, student.grid.cols);
    refuse_other_tower(name, source_of(name, file->second), teacher.options, tower);
    for (const std::string& remark : teacher.remarks) reporter.info(remark);
    towers[name] = with_facts_of(tower, teacher.options);
  }
  auto teachers = std::make_unique<targets::Teachers>(options, student, device, towers);
  for (auto& [name, file] : read) {
    fill_teacher(teachers->tower(name), file, source_of(name, files.at(name)));
  }
  return teachers;
}

}  // namespace fcm::tasks
