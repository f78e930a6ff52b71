#include "fcm/loader/sources/coco_file.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>
#include <unordered_set>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/loader/sources/class_names.h"

namespace fcm::loader {

namespace {

std::string name_of(const CocoAnnotation& annotation) {
  return annotation.id >= 0
             ? fmt::format("annotation {}", annotation.id)
             : fmt::format("an annotation without id, of image {}", annotation.image);
}

}  // namespace

CocoFile::CocoFile(const std::filesystem::path& file)
    : tables_(read_coco_tables(file)), file_(file.string()) {
  constexpr size_t kMost = std::numeric_limits<uint32_t>::max();
  if (tables_.annotations.size() >= kMost || tables_.images.size() >= kMost) {
    fail(ExitCode::kData, "{} has more than {} entries", file.string(), kMost);
  }
  sort_images(file);
  sort_categories(file);
  sort_annotations();
  look_for_repeated();
}

std::string CocoFile::after_left_out() const {
  return tables_.left_out.empty() ? "" : "; left out: " + as_text(tables_.left_out);
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
  if (order_.empty()) {
    fail(ExitCode::kData, "{} has no usable image{}", file.string(), after_left_out());
  }
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
  if (classes_.ids.empty()) {
    fail(ExitCode::kData, "{} has no categories{}", file.string(), after_left_out());
  }
  classes_.objects.resize(classes_.ids.size());
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
    tables_.left_out.add(kind, name_of(annotation));
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

void CocoFile::OddBoxes::add(const CocoAnnotation& annotation) {
  if (count++ == 0) example = name_of(annotation);
}

// Boxes that are odd in one of these ways stay: COCO's evaluation counts them, and the published
// file has some.
void CocoFile::look_at_box(const CocoAnnotation& annotation, const ImageRecord& image) {
  const auto& [x0, y0, x1, y1] = annotation.box;
  const auto rows = static_cast<double>(image.rows), cols = static_cast<double>(image.cols);
  constexpr double kSlack = 1;  // pixels; annotations are rounded
  if (x1 <= x0 || y1 <= y0) {
    empty_.add(annotation);
  } else if (x1 <= 0 || y1 <= 0 || x0 >= cols || y0 >= rows) {
    outside_.add(annotation);
  } else if (x0 < -kSlack || y0 < -kSlack || x1 > cols + kSlack || y1 > rows + kSlack) {
    beyond_.add(annotation);
  } else if (x0 >= 0 && y0 >= 0 && x1 <= 1 && y1 <= 1 && rows > 1 && cols > 1) {
    of_shares_.add(annotation);
  }
}

void CocoFile::sort_annotations() {
  const std::vector<bool> repeated = repeated_ids();
  std::vector<int64_t> images;  // of each annotation, or -1
  images.reserve(tables_.annotations.size());
  begins_.resize(order_.size() + 1);
  for (size_t i = 0; i < tables_.annotations.size(); ++i) {
    const CocoAnnotation& one = tables_.annotations[i];
    if (!repeated.empty() && repeated[i]) {
      tables_.left_out.add("annotations with a repeated id", name_of(one));
      images.push_back(-1);
      continue;
    }
    const int64_t image = images.emplace_back(image_of(one));
    if (image < 0) continue;
    ++begins_[static_cast<size_t>(image) + 1];
    ImageRecord& record = tables_.images[order_[static_cast<size_t>(image)]];
    look_at_box(one, record);
    if (one.crowd) continue;
    ++record.objects;
    ++classes_.objects[static_cast<size_t>(classes_.class_of(one.category))];
  }
  std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
  by_image_.resize(begins_.back());
  std::vector<uint32_t> next(begins_.begin(), begins_.end() - 1);
  for (size_t i = 0; i < images.size(); ++i) {
    if (images[i] < 0) continue;
    by_image_[next[static_cast<size_t>(images[i])]++] = static_cast<uint32_t>(i);
  }
}

void CocoFile::look_for_repeated() {
  using Object = std::tuple<int64_t, std::array<double, 4>, uint32_t>;
  std::vector<Object> objects;
  for (size_t image = 0; image + 1 < begins_.size(); ++image) {
    objects.clear();
    for (uint32_t i = begins_[image]; i < begins_[image + 1]; ++i) {
      const CocoAnnotation& one = tables_.annotations[by_image_[i]];
      if (!one.crowd) objects.emplace_back(one.category, one.box, by_image_[i]);
    }
    std::ranges::sort(objects);
    for (size_t i = 1; i < objects.size(); ++i) {
      const auto& [category, box, place] = objects[i];
      if (std::get<0>(objects[i - 1]) != category || std::get<1>(objects[i - 1]) != box) continue;
      repeated_.add(tables_.annotations[place]);
    }
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
  std::vector<std::string> without_objects;
  for (size_t i = 0; i < classes_.names.size(); ++i) {
    if (classes_.objects[i] == 0) without_objects.push_back(classes_.names[i]);
  }
  if (!without_objects.empty() && !by_image_.empty()) {
    notes.push_back(fmt::format("{} of {} {} no annotated object ({})", without_objects.size(),
                                counted(std::ssize(classes_.names), "category", "categories"),
                                noun(std::ssize(without_objects), "has", "have"),
                                some_of(without_objects)));
  }
  return notes;
}

std::vector<std::string> CocoFile::warnings() const {
  std::vector<std::string> warnings;
  const int64_t all = std::ssize(by_image_);
  const auto warn = [&](const OddBoxes& odd, std::string_view what, std::string_view hint) {
    if (odd.count == 0) return;
    const bool most = 2 * odd.count > all;
    warnings.push_back(fmt::format(
        "{} of {} in {} {} a box {} ({}){}", odd.count, counted(all, "annotation", "annotations"),
        file_, noun(odd.count, "has", "have"), what, odd.example, most ? hint : ""));
  };
  if (repeated_.count > 0) {
    warnings.push_back(
        fmt::format("{} of {} in {} {} the image, category and box of an earlier one ({})",
                    repeated_.count, counted(all, "annotation", "annotations"), file_,
                    noun(repeated_.count, "repeats", "repeat"), repeated_.example));
  }
  constexpr std::string_view kCorners =
      "; the four numbers must be x, y, width and height, not two corners";
  warn(empty_, "of no area", "");
  warn(outside_, "outside its image", kCorners);
  warn(beyond_, "that reaches beyond its image", kCorners);
  warn(of_shares_, "within the first pixel of its image",
       "; the four numbers must be in pixels, not shares of the image");
  Remarks alike;
  warn_of_alike_classes(classes_.names, file_, alike);
  warnings.insert(warnings.end(), alike.warnings.begin(), alike.warnings.end());
  return warnings;
}

}  // namespace fcm::loader
