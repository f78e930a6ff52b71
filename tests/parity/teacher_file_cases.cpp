// Cases of the kind teacher-file: what is read from upstream teacher files must equal the stored
// tensors of their image towers.
#include <ATen/ATen.h>

#include <set>

#include "fcm/base/error.h"
#include "fcm/interop/teacher_file.h"
#include "fcm/interop/tower_names.h"
#include "fcm/train/state.h"
#include "tests/parity/cases.h"

namespace fcm::parity {
namespace {

// The tensors of the file next to the entry whose stem is the longest prefix of the entry's stem:
// dino_tiny.golden belongs to dino_tiny_full.pth.
Tensors expected_of(const Entry& entry) {
  const std::filesystem::path folder = entry.path().parent_path();
  for (std::string stem = entry.stem(); !stem.empty(); stem.pop_back()) {
    const std::filesystem::path exact = folder / (stem + ".expected.safetensors");
    if (std::filesystem::exists(exact)) return read_tensors(exact);
    const std::filesystem::path golden = folder / (stem + ".golden.safetensors");
    if (!std::filesystem::exists(golden)) continue;
    Tensors states;
    for (const auto& [name, tensor] : read_tensors(golden)) {
      if (name.starts_with("state.")) states[name.substr(6)] = tensor;
    }
    return states;
  }
  fail(ExitCode::kData, "no file next to {} has its expected tensors", entry.file);
}

std::string name_here(std::string_view published) {
  constexpr std::string_view kClip = "visual.";
  if (published.starts_with(kClip)) published.remove_prefix(kClip.size());
  return interop::name_in_tower(published).value_or(std::string(published));
}

void read_file(CaseResult& result, const Entry& entry) {
  const interop::TeacherFile teacher = interop::read_teacher(entry.path());
  const Tensors expected = expected_of(entry);
  std::set<std::string> names = {"patch_embed.proj.bias"};  // read as zero if the file has none
  for (const auto& [name, wanted] : expected) {
    const std::string here = name_here(name);
    const formats::TensorView* const found = teacher.model.find(here);
    names.insert(here);
    if (found == nullptr) {
      add_fault(result, name + " is expected, but not in the file");
    } else {
      compare_exactly(result, name,
                      train::to_tensor(*found).to(wanted.scalar_type()).view(wanted.sizes()),
                      wanted);
    }
  }
  for (const formats::TensorView& view : teacher.model.tensors) {
    if (!names.contains(view.name)) {
      add_fault(result, view.name + " is in the file, but not in the expected file");
    }
  }
}

}  // namespace

std::vector<CaseResult> teacher_file_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file, [&](CaseResult& result) { read_file(result, entry); });
  return results;
}

}  // namespace fcm::parity
