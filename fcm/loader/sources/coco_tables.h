// The content of a COCO instances file in compact form, and its reader.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fcm/loader/instances.h"
#include "fcm/loader/remarks.h"
#include "fcm/loader/sources/joined_names.h"

namespace fcm::loader {

// Polygons and RLE masks of many annotations, concatenated, because vectors of vectors would take
// several times the file's size. They are deques, because a growing vector briefly needs twice the
// memory.
class CocoShapes {
 public:
  struct Location {
    uint64_t begin = 0, first_part = 0;
    uint32_t size = 0;  // characters of the mask, or number of polygons
    enum class Form : uint8_t { kHundredths, kNumbers, kMask } form = Form::kHundredths;
  };

  // `numbers`: the coordinates of all polygons of an object; `part_sizes`: how many numbers each
  // polygon has.
  Location add_polygons(std::span<const double> numbers, std::span<const uint32_t> part_sizes);
  Location add_mask(const image::RunLengths& mask);

  // Stores the polygons or the mask in `instance`; `rows` and `cols` are the mask's size.
  void read(const Location& location, int64_t rows, int64_t cols, Instance& instance) const;

 private:
  // COCO's coordinates have two decimals. Stored as hundredths they take half the space, and
  // n / 100 restores exactly the double that was read. Other coordinates are in numbers_.
  std::deque<int32_t> hundredths_;
  std::deque<double> numbers_;
  std::deque<uint32_t> part_sizes_;
  std::deque<char> masks_;  // COCO's compressed RLE strings
};

struct CocoAnnotation {
  int64_t id = -1;              // -1: none
  int64_t image = 0;            // id of the image
  int64_t category = 0;         // id of the category
  std::array<double, 4> box{};  // x0, y0, x1, y1
  double area = 0;
  CocoShapes::Location shape;
  int32_t mask_rows = 0, mask_cols = 0;  // 0: polygons
  bool crowd = false;
};

// The entries of a file, in file order. Unusable entries are skipped and counted.
struct CocoTables {
  std::vector<ImageRecord> images;                          // `objects` is not yet counted
  JoinedNames names;                                        // file names of the images
  std::vector<std::pair<int64_t, std::string>> categories;  // ids and names
  std::vector<CocoAnnotation> annotations;
  CocoShapes shapes;
  LeftOut left_out;
  int64_t without_area = 0;  // annotations without a valid area; they get that of the box
};

// Throws Error(kData) if the file is not JSON or not a COCO instances file.
CocoTables read_coco_tables(const std::filesystem::path& file);

}  // namespace fcm::loader
