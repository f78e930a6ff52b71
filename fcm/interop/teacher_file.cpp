#include "fcm/interop/teacher_file.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/formats/file_kind.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/adapters.h"

namespace fcm::interop {
namespace {

constexpr std::string_view kTeacher = "teacher.";

bool holds(const std::vector<formats::TensorView>& tensors, std::string_view name) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const formats::TensorView& tensor) { return tensor.name == name; });
}

// A training checkpoint holds student, teacher and optimizer: the teacher alone stays.
void keep_teacher(std::vector<formats::TensorView>& tensors) {
  const auto is_teacher = [](const formats::TensorView& tensor) {
    return tensor.name.starts_with(kTeacher);
  };
  if (std::none_of(tensors.begin(), tensors.end(), is_teacher)) return;
  std::erase_if(tensors, [&](const formats::TensorView& tensor) { return !is_teacher(tensor); });
  for (formats::TensorView& tensor : tensors) tensor.name.erase(0, kTeacher.size());
}

TeacherKind keep_tower(std::vector<formats::TensorView>& tensors, const std::string& file) {
  if (holds(tensors, "visual.class_embedding")) {
    std::erase_if(tensors, [](const formats::TensorView& tensor) {
      return !tensor.name.starts_with("visual.");
    });
    return TeacherKind::kClip;
  }
  if (holds(tensors, "cls_token") && holds(tensors, "patch_embed.proj.weight")) {
    std::erase_if(tensors, [](const formats::TensorView& tensor) {
      return tensor.name.starts_with("head.");
    });
    return TeacherKind::kDino;
  }
  fail(ExitCode::kCheckpoint,
       "{}: none of its {} tensors is CLIP's visual.class_embedding or DINO's cls_token and "
       "patch_embed.proj.weight; give a published file of one of these, or one with their names",
       file, tensors.size());
}

void check_unique(const std::vector<formats::TensorView>& tensors, const std::string& file) {
  std::set<std::string_view> names;
  for (const formats::TensorView& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      fail(ExitCode::kCheckpoint, "{}: two tensors come to the name {} without their prefixes",
           file, tensor.name);
    }
  }
}

}  // namespace

TeacherFile read_teacher(const std::filesystem::path& path) {
  TeacherFile teacher;
  const std::string beginning = formats::beginning_of(path);
  const bool named = path.extension() == ".safetensors";
  const auto kind = formats::weights_kind(std::as_bytes(std::span(beginning)));
  if (kind == formats::WeightsKind::kSafetensors ||
      (named && kind == formats::WeightsKind::kOther)) {
    teacher.model = formats::read_safetensors(path);
  } else {
    formats::PthFile file = formats::read_pth(path);
    teacher.model.data = std::move(file.storage);
    teacher.model.tensors = std::move(file.tensors);
    teacher.copies = std::move(file.copies);
  }
  std::vector<formats::TensorView>& tensors = teacher.model.tensors;
  keep_teacher(tensors);
  for (formats::TensorView& tensor : tensors)
    tensor.name = without_wrappers(std::move(tensor.name));
  teacher.kind = keep_tower(tensors, path.string());
  check_unique(tensors, path.string());
  return teacher;
}

}  // namespace fcm::interop
