#include "fcm/loader/sources/coco_tables.h"

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/image/image.h"
#include "fcm/loader/sources/json_reader.h"
#include "fcm/loader/sources/list_line.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;
using JsonKind = JsonReader::Kind;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
// Beyond the coordinates of any image, and within the range of COCO's polygon rule.
constexpr double kFarthest = 1e8;

bool is_near(double value) { return std::abs(value) <= kFarthest; }  // false for NaN

class CocoReader {
 public:
  explicit CocoReader(const fs::path& file) : file_(file), json_(file) {}

  CocoTables read() {
    if (json_.kind() != JsonKind::kObject) {
      fail(ExitCode::kData,
           "{} is not a COCO instances file but other JSON, perhaps of results; expected an object "
           "with images, annotations and categories",
           file_.string());
    }
    json_.object([&](std::string_view key) {
      if (key == "images") return take_list(has_images_, "images", [&] { take_image(); });
      if (key == "annotations") {
        return take_list(has_annotations_, "annotations", [&] { take_annotation(); });
      }
      if (key == "categories") {
        return take_list(has_categories_, "categories", [&] { take_category(); });
      }
      json_.skip();
    });
    json_.end();
    const char* const missing = !has_images_        ? "images"
                                : !has_annotations_ ? "annotations"
                                : !has_categories_  ? "categories"
                                                    : nullptr;
    if (missing != nullptr) {
      fail(ExitCode::kData, "{} is not a COCO instances file: it has no list \"{}\"",
           file_.string(), missing);
    }
    return std::move(tables_);
  }

 private:
  template <class Take>
  void take_list(bool& is_there, const char* name, const Take& take) {
    if (std::exchange(is_there, true)) {
      json_.refuse(fmt::format("a second \"{}\" in the same object", name));
    }
    if (json_.kind() != JsonKind::kArray) {
      json_.refuse(fmt::format("\"{}\" is not a list", name));
    }
    entry_ = 0;
    json_.array([&] {
      ++entry_;
      if (json_.kind() == JsonKind::kObject) return take();
      tables_.left_out.add("entries that are not objects", fmt::format("{} {}", name, entry_));
      json_.skip();
    });
  }

  // The value of an id in the file.
  struct Id {
    std::optional<int64_t> value;
    std::string other;  // what the file has instead of an integer; "": nothing

    // Whether the file has an id that is not an integer.
    bool is_odd() const { return !value && !other.empty(); }
  };
  Id read_id() {
    Id id;
    if (json_.kind() == JsonKind::kText) {
      id.other = fmt::format("\"{}\"", json_.text());
    } else if (json_.kind() == JsonKind::kNumber) {
      id.value = json_.whole_number();
      if (!id.value) id.other = "a number that is not an integer";
    } else {
      json_.skip();
    }
    return id;
  }

  std::optional<int64_t> whole() {
    if (json_.kind() == JsonKind::kNumber) return json_.whole_number();
    json_.skip();
    return std::nullopt;
  }
  double real() {
    if (json_.kind() == JsonKind::kNumber) return json_.number();
    pending_.has_other_values = true;
    json_.skip();
    return kMissing;
  }
  std::string words() {
    if (json_.kind() == JsonKind::kText) return std::string(json_.text());
    json_.skip();
    return {};
  }
  bool flag() {  // 1 or true, also in quotes
    if (json_.kind() == JsonKind::kText) {
      const std::string_view text = json_.text();
      return text == "1" || text == "true";
    }
    if (json_.kind() != JsonKind::kWord) return whole().value_or(0) != 0;
    return json_.word() == "true";
  }

  void take_image() {
    Id id;
    std::optional<int64_t> rows, cols;
    std::string name;
    json_.object([&](std::string_view key) {
      if (key == "id") {
        id = read_id();
      } else if (key == "height") {
        rows = whole();
      } else if (key == "width") {
        cols = whole();
      } else if (key == "file_name") {
        name = words();
      } else {
        json_.skip();
      }
    });
    const auto leave_out = [&](const char* kind) {
      tables_.left_out.add(kind, !name.empty() ? name
                                 : id.value    ? fmt::format("image {}", *id.value)
                                               : fmt::format("entry {} of images", entry_));
    };
    if (id.is_odd()) {
      return tables_.left_out.add("images whose id is not an integer",
                                  fmt::format("{}, id {}", name, id.other));
    }
    if (!id.value || name.empty()) return leave_out("images without id or file name");
    const fs::path path = fs::path(name).lexically_normal();
    if (path.is_absolute() || *path.begin() == ".." || name.find('\0') != name.npos) {
      return leave_out("images whose names lead out of the folder");
    }
    constexpr int64_t kMost = image::DecodeLimits{}.max_pixels;
    if (!rows || !cols || *rows < 1 || *cols < 1 || *rows > kMost / *cols) {
      return leave_out("images without a size, or above the pixel limit");
    }
    tables_.images.push_back({*id.value, *rows, *cols, 0});
    tables_.names.add(name);
  }

  void take_category() {
    Id id;
    std::string name;
    json_.object([&](std::string_view key) {
      if (key == "id") {
        id = read_id();
      } else if (key == "name") {
        name = words();
      } else {
        json_.skip();
      }
    });
    if (id.is_odd()) {
      return tables_.left_out.add("categories whose id is not an integer",
                                  fmt::format("{}, id {}", name, id.other));
    }
    if (!id.value) return tables_.left_out.add("categories without id", name);
    const bool is_blank = without_blanks_around(name).empty();
    tables_.categories.emplace_back(*id.value, is_blank ? std::to_string(*id.value) : name);
  }

  // The annotation being read.
  struct Pending {
    CocoAnnotation annotation;
    Id image, category;
    double area = kMissing;
    bool has_box = false, is_box_negative = false, is_finite = true;
    std::vector<double> numbers;  // of polygons
    std::vector<uint32_t> part_sizes;
    bool has_other_values = false;  // than numbers, in a box or a polygon
    int64_t invalid_polygons = 0;   // polygons of fewer than 6 or an odd count of numbers
    std::optional<image::RunLengths> mask;
    bool has_bad_mask = false;

    void clear() {
      annotation = {};
      image = category = {};
      area = kMissing;
      has_box = is_box_negative = has_bad_mask = has_other_values = false;
      is_finite = true;
      numbers.clear();
      part_sizes.clear();
      invalid_polygons = 0;
      mask.reset();
    }
  };

  void take_annotation() {
    pending_.clear();
    json_.object([&](std::string_view key) {
      if (key == "segmentation") {
        take_segmentation();
      } else if (key == "id") {
        pending_.annotation.id = whole().value_or(-1);
      } else if (key == "image_id") {
        pending_.image = read_id();
      } else if (key == "category_id") {
        pending_.category = read_id();
      } else if (key == "bbox") {
        take_box();
      } else if (key == "area") {
        const bool had_other_values = pending_.has_other_values;
        pending_.area = real();  // replaced by the area of the box if it is not a number
        pending_.has_other_values = had_other_values;
      } else if (key == "iscrowd") {
        pending_.annotation.crowd = flag();
      } else {
        json_.skip();
      }
    });
    keep_annotation();
  }

  void take_box() {
    std::array<double, 4> box{};
    size_t count = 0;
    if (json_.kind() != JsonKind::kArray) return json_.skip();
    json_.array([&] {
      const double value = real();
      if (count < box.size()) box[count] = value;
      ++count;
    });
    if (count != box.size()) return;
    const auto [x, y, width, height] = box;
    pending_.is_finite &= is_near(x) && is_near(y) && is_near(width) && is_near(height);
    pending_.has_box = true;
    pending_.is_box_negative = width < 0 || height < 0;
    pending_.annotation.box = {x, y, x + width, y + height};
  }

  void take_segmentation() {
    if (json_.kind() == JsonKind::kObject) return take_mask();
    if (json_.kind() != JsonKind::kArray) return json_.skip();
    json_.array([&] {
      if (json_.kind() == JsonKind::kArray) return take_part();
      ++pending_.invalid_polygons;
      json_.skip();
    });
  }

  void take_part() {
    constexpr size_t kFewest = 6;  // numbers of three points
    std::vector<double>& numbers = pending_.numbers;
    const size_t begin = numbers.size();
    json_.array([&] {
      numbers.push_back(real());
      pending_.is_finite &= is_near(numbers.back());
    });
    const size_t count = numbers.size() - begin;
    if (count >= kFewest && count % 2 == 0 && count <= std::numeric_limits<uint32_t>::max()) {
      pending_.part_sizes.push_back(static_cast<uint32_t>(count));
    } else {
      numbers.resize(begin);
      ++pending_.invalid_polygons;
    }
  }

  // {"size": [rows, columns], "counts": text or numbers}
  void take_mask() {
    std::vector<int64_t> size, counts;
    std::optional<std::string> text;
    json_.object([&](std::string_view key) {
      if (key == "size" && json_.kind() == JsonKind::kArray) {
        json_.array([&] { size.push_back(whole().value_or(-1)); });
      } else if (key == "counts" && json_.kind() == JsonKind::kText) {
        text = json_.text();
      } else if (key == "counts" && json_.kind() == JsonKind::kArray) {
        take_counts(counts);
      } else {
        json_.skip();
      }
    });
    pending_.has_bad_mask = true;
    if (size.size() != 2) return;
    try {
      pending_.mask = text ? image::parse_run_lengths(*text, size[0], size[1])
                           : image::run_lengths_of_counts(counts, size[0], size[1]);
      pending_.has_bad_mask = false;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
    }
  }

  void take_counts(std::vector<int64_t>& counts) {
    constexpr size_t kMost = size_t{1} << 24;  // more than any real mask has; bounds memory
    json_.array([&] {
      const int64_t length = whole().value_or(-1);
      if (counts.size() <= kMost) counts.push_back(length);
    });
    if (counts.size() > kMost) counts.assign(1, -1);
  }

  // What is wrong with the pending annotation; nullptr if nothing.
  const char* fault() const {
    if (!pending_.image.value || !pending_.category.value) {
      return "annotations without image or category";
    }
    if (pending_.has_other_values) return "annotations with coordinates that are not numbers";
    if (!pending_.is_finite) return "annotations with numbers that are non-finite or beyond 1e8";
    if (!pending_.has_box) return "annotations without a box";
    if (pending_.is_box_negative) return "annotations with a box of negative width or height";
    if (pending_.has_bad_mask) return "annotations with masks whose runs do not add up";
    if (!pending_.mask && pending_.part_sizes.empty()) return "annotations without an outline";
    return nullptr;
  }

  void keep_annotation() {
    CocoAnnotation& kept = pending_.annotation;
    const auto name = [&] {
      return kept.id >= 0 ? fmt::format("annotation {}", kept.id)
                          : fmt::format("entry {} of annotations", entry_);
    };
    if (pending_.invalid_polygons > 0) {
      tables_.left_out.add("outlines of fewer than three points or an odd count of numbers", name(),
                           pending_.invalid_polygons);
    }
    for (const auto& [key, id] :
         {std::pair("image_id", &pending_.image), std::pair("category_id", &pending_.category)}) {
      if (!id->is_odd()) continue;
      return tables_.left_out.add(fmt::format("annotations whose {} is not an integer", key),
                                  fmt::format("{}, {} {}", name(), key, id->other));
    }
    if (const char* const kind = fault()) return tables_.left_out.add(kind, name());
    kept.image = *pending_.image.value;
    kept.category = *pending_.category.value;
    kept.area = pending_.area;
    if (!(pending_.area >= 0 && std::isfinite(pending_.area))) {
      kept.area = (kept.box[2] - kept.box[0]) * (kept.box[3] - kept.box[1]);
      ++tables_.without_area;
    }
    if (pending_.mask) {
      kept.mask_rows = static_cast<int32_t>(pending_.mask->rows);
      kept.mask_cols = static_cast<int32_t>(pending_.mask->cols);
      kept.shape = tables_.shapes.add_mask(*pending_.mask);
    } else {
      kept.shape = tables_.shapes.add_polygons(pending_.numbers, pending_.part_sizes);
    }
    tables_.annotations.push_back(kept);
  }

  const fs::path file_;
  JsonReader json_;
  CocoTables tables_;
  Pending pending_;
  int64_t entry_ = 0;  // number of the current entry in its list, from 1
  bool has_images_ = false, has_annotations_ = false, has_categories_ = false;
};

}  // namespace

CocoTables read_coco_tables(const fs::path& file) { return CocoReader(file).read(); }

}  // namespace fcm::loader
