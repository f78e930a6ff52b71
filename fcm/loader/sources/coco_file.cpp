#include "fcm/loader/sources/coco_file.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"

namespace fcm::loader {

CocoFile::CocoFile(const std::filesystem::path& file) : tables_(read_coco_tables(file)) {
  constexpr size_t kMost = std::numeric_limits<uint32_t>::max();
  if (tables_.annotations.size() >= kMost || tables_.images.size() >= kMost) {
    fail(ExitCode::kData, "{} has more than {} entries", file.string(), kMost);
  }
  sort_images(file);
  sort_categories(file);
  sort_annotations();
}

void CocoFile::sort_images(const std::filesystem::path& file) {
  const auto id_of = [&](uint32_t place) { return tables_.images[place].image; };
  order_.resize(tables_.images.size());
  std::iota(order_.begin(), order_.end(), 0U);
  std::ranges::stable_sort(order_, {}, id_of);
  const auto is_repeated = [&](uint32_t one, uint32_t next) {
    if (id_of(one) != id_of(next)) return false;
    tables_.left_out.add("images with a repeated id", tables_.names.at(next));
    return true;
  };
  order_.erase(std::unique(order_.begin(), order_.end(), is_repeated), order_.end());
  tables_.names.shrink();
  if (order_.empty()) fail(ExitCode::kData, "{} has no usable image", file.string());
}

void CocoFile::sort_categories(const std::filesystem::path& file) {
  std::ranges::stable_sort(tables_.categories, {}, &std::pair<int64_t, std::string>::first);
  for (const auto& [id, name] : tables_.categories) {
    if (!classes_.ids.empty() && classes_.ids.back() == id) {
      tables_.left_out.add("categories with a repeated id", name);
      continue;
    }
    classes_.ids.push_back(id);
    classes_.names.push_back(name);
  }
  if (classes_.ids.empty()) fail(ExitCode::kData, "{} has no categories", file.string());
}

std::vector<bool> CocoFile::repeated_ids() const {
  const auto& all = tables_.annotations;
  std::vector<int64_t> ids;
  ids.reserve(all.size());
  for (const CocoAnnotation& one : all) {
    if (one.id >= 0) ids.push_back(one.id);
  }
  std::ranges::sort(ids);
  std::unordered_set<int64_t> several;
  for (size_t i = 1; i < ids.size(); ++i) {
    if (ids[i] == ids[i - 1]) several.insert(ids[i]);
  }
  std::vector<bool> repeated(several.empty() ? 0 : all.size());
  std::unordered_set<int64_t> seen;
  for (size_t i = 0; i < repeated.size(); ++i) {
    repeated[i] = several.contains(all[i].id) && !seen.insert(all[i].id).second;
  }
  return repeated;
}

int64_t CocoFile::image_of(const CocoAnnotation& annotation) {
  const auto leave_out = [&](const char* kind) {
    tables_.left_out.add(kind, fmt::format("annotation {}", annotation.id));
    return int64_t{-1};
  };
  const auto found = std::ranges::lower_bound(
      order_, annotation.image, {}, [&](uint32_t place) { return tables_.images[place].image; });
  if (found == order_.end() || tables_.images[*found].image != annotation.image) {
    return leave_out("annotations of unknown images");
  }
  const ImageRecord& record = tables_.images[*found];
  if (classes_.class_of(annotation.category) < 0) {
    return leave_out("annotations of unknown categories");
  }
  if (annotation.mask_rows != 0 &&
      (annotation.mask_rows != record.rows || annotation.mask_cols != record.cols)) {
    return leave_out("annotations with masks of another size than their image");
  }
  return found - order_.begin();
}

void CocoFile::sort_annotations() {
  const std::vector<bool> repeated = repeated_ids();
  std::vector<int64_t> images;  // of each annotation, or -1
  images.reserve(tables_.annotations.size());
  begins_.resize(order_.size() + 1);
  for (size_t i = 0; i < tables_.annotations.size(); ++i) {
    const CocoAnnotation& one = tables_.annotations[i];
    if (!repeated.empty() && repeated[i]) {
      tables_.left_out.add("annotations with a repeated id", fmt::format("annotation {}", one.id));
      images.push_back(-1);
      continue;
    }
    const int64_t image = images.emplace_back(image_of(one));
    if (image < 0) continue;
    ++begins_[static_cast<size_t>(image) + 1];
    if (!one.crowd) ++tables_.images[order_[static_cast<size_t>(image)]].objects;
  }
  std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
  by_image_.resize(begins_.back());
  std::vector<uint32_t> next(begins_.begin(), begins_.end() - 1);
  for (size_t i = 0; i < images.size(); ++i) {
    if (images[i] < 0) continue;
    by_image_[next[static_cast<size_t>(images[i])]++] = static_cast<uint32_t>(i);
  }
}

Instances CocoFile::instances(int64_t index) const {
  const ImageRecord& image = record(index);
  Instances all{image.image, image.rows, image.cols, {}};
  const auto i = static_cast<size_t>(index);
  all.instances.reserve(begins_[i + 1] - begins_[i]);
  for (uint32_t place = begins_[i]; place < begins_[i + 1]; ++place) {
    const CocoAnnotation& one = tables_.annotations[by_image_[place]];
    Instance& instance = all.instances.emplace_back();
    instance.annotation = one.id;
    instance.class_number = classes_.class_of(one.category);
    instance.box = one.box;
    instance.area = one.area;
    instance.crowd = one.crowd;
    tables_.shapes.read(one.shape, image.rows, image.cols, instance);
  }
  return all;
}

std::vector<std::string> CocoFile::notes() const {
  std::vector<std::string> notes;
  const auto without = std::ranges::count_if(
      order_, [&](uint32_t place) { return tables_.images[place].objects == 0; });
  if (without > 0) {
    notes.push_back(fmt::format(
        "{} of {} {} no annotated object except crowds; when a detector is trained on them, {} "
        "skipped",
        without, counted(size(), "image", "images"), noun(without, "has", "have"),
        noun(without, "it is", "they are")));
  }
  if (tables_.without_area > 0) {
    notes.push_back(fmt::format(
        "{} no area: the area of {} box is used",
        counted(static_cast<int64_t>(tables_.without_area), "annotation has", "annotations have"),
        noun(static_cast<int64_t>(tables_.without_area), "its", "their")));
  }
  return notes;
}

}  // namespace fcm::loader
