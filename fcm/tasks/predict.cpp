// The command predict: predictions of a trained network for any images.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/new_folders.h"
#include "fcm/base/progress.h"
#include "fcm/formats/json_text.h"
#include "fcm/image/image.h"
#include "fcm/image/orientation.h"
#include "fcm/interop/load_any.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/predictor.h"
#include "fcm/tasks/run_files.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kList = "results.json";

// The image files that `images` names. Each folder stands for the images directly inside it, sorted
// by name; subfolders are skipped and reported.
std::vector<fs::path> files_of(const std::vector<std::string>& images, Reporter& reporter) {
  std::vector<fs::path> files;
  for (const std::string& name : images) {
    if (name.empty()) fail(ExitCode::kUsage, "--images: one of its paths is empty");
    if (!fs::is_directory(name)) {
      files.emplace_back(name);
      continue;
    }
    std::vector<fs::path> inside;
    int64_t folders = 0;
    for (const auto& entry : fs::directory_iterator(name)) {
      const std::string file = entry.path().filename();
      folders += entry.is_directory() && !file.starts_with('.') ? 1 : 0;
      if (entry.is_regular_file() && loader::is_image_ending(loader::ending_of(file))) {
        inside.push_back(entry.path());
      }
    }
    if (inside.empty()) fail(ExitCode::kData, "--images {} is a folder without images", name);
    if (folders > 0) {
      reporter.info(fmt::format("--images {}: images in the {} inside it are left out", name,
                                folders == 1 ? "folder" : fmt::format("{} folders", folders)));
    }
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

// Base names of the outputs: the file's name without its ending, numbered if several files have the
// same name.
std::vector<std::string> output_names(const std::vector<fs::path>& files) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const fs::path& file : files) {
    const std::string stem = file.stem();
    std::string name = stem;
    for (int64_t number = 2; !taken.insert(name).second; ++number) {
      name = fmt::format("{}-{}", stem, number);
    }
    names.push_back(std::move(name));
  }
  return names;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

// The names of files that an earlier call wrote to the folder, from results.json there; nullopt:
// there is no such list.
std::optional<std::set<std::string>> written_before(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_regular_file(folder / kList, ignored)) return std::nullopt;
  const json list = json::parse(read_file(folder / kList, ExitCode::kUsage), nullptr, false);
  if (!list.is_array()) return std::nullopt;
  std::set<std::string> names;
  for (const json& one : list) {
    if (!one.is_object() || !one.contains("file") || !one.contains("picture")) return std::nullopt;
    for (const char* member : {"picture", "map"}) {
      const json& value = one.value(member, json());
      if (value.is_string()) names.insert(value.get<std::string>());
    }
  }
  return names;
}

void refuse_to_replace_answers(const PredictRequest& request,
                               const std::vector<std::string>& names) {
  const fs::path& out = request.out;
  refuse_impossible_folder(out);
  if (is_run(out)) fail(ExitCode::kUsage, "--out {} is a run folder; choose another", out.string());
  const auto before = written_before(out);
  if (is_there(out / kList) && !before) {
    fail(ExitCode::kUsage,
         "{} was not written by this program and is not replaced; choose another --out",
         (out / kList).string());
  }
  if (before && !request.overwrite) {
    fail(ExitCode::kUsage, "{} holds predictions; choose another folder, or pass --overwrite",
         out.string());
  }
  refuse_link_or_temporary(out / kList);
  for (const std::string& name : names) {
    for (const char* ending : {kDrawnEnding, kMapEnding}) {
      const std::string file = name + ending;
      refuse_link_or_temporary(out / file);
      if (!is_there(out / file) || (before && before->contains(file))) continue;
      fail(ExitCode::kUsage,
           "{} was not written by this program and is not replaced; choose another --out",
           (out / file).string());
    }
  }
}

image::Image read_image(const fs::path& file, bool turn_upright) {
  const std::string bytes = read_file(file, ExitCode::kData);
  try {
    const std::span encoded(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    image::Image image = image::decode(encoded, 3);
    return turn_upright ? image::upright(std::move(image), image::exif_orientation(encoded))
                        : std::move(image);
  } catch (const Error& error) {
    fail(error.code(), "{}: {}", file.string(), error.what());
  }
}

// Predicts one image and writes the outputs. Creates `folder` for the first readable image.
json predict_one(Predictor& predictor, const fs::path& file, const PredictRequest& request,
                 const std::string& name, std::optional<NewFolders>& folder) {
  const image::Image image = read_image(file, predictor.applies_orientation());
  if (!folder) folder.emplace(request.out, ExitCode::kUsage);
  json entry = {{"file", file.string()}, {"width", image.cols}, {"height", image.rows}};
  entry.update(predictor.answer(image, request.out, name));
  return entry;
}

}  // namespace

json predict(const PredictRequest& request, Reporter& reporter) {
  const std::vector<fs::path> files = files_of(request.images, reporter);
  if (files.empty()) fail(ExitCode::kUsage, "--images: expected at least one image");
  const std::vector<std::string> outputs = output_names(files);
  refuse_to_replace_answers(request, outputs);
  set_up_machine(request.machine);
  checkpoint::Checkpoint checkpoint = interop::load_any(request.checkpoint.path, false, reporter);
  const std::unique_ptr<Predictor> predictor = make_predictor(
      std::move(checkpoint), request.checkpoint.set, reporter, device_of(request.machine));
  const ops::ReferenceOps reference(predictor->recipe().debug.reference_ops);
  json list = json::array();
  std::optional<NewFolders> folder;
  Progress progress(reporter, "", std::ssize(files));
  for (size_t i = 0; i < files.size(); ++i) {
    try {
      list.push_back(predict_one(*predictor, files[i], request, outputs[i], folder));
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      reporter.warn(error.what());
    }
    progress.add(1);
  }
  if (list.empty()) fail(ExitCode::kData, "none of the {} images can be read", files.size());
  if (const std::string remark = predictor->remark(); !remark.empty()) reporter.info(remark);
  write_file_durably(request.out / kList, formats::json_text(list, 2) + "\n", ExitCode::kUsage);
  folder->keep();
  return {{"images", list.size()},
          {"unreadable", files.size() - list.size()},
          {"out", request.out.string()}};
}

}  // namespace fcm::tasks
