// COCO's results file: a list of {"image_id", "category_id", "score", "bbox": [x, y, width,
// height], "segmentation": {"size": [rows, columns], "counts": text}}.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/image/run_lengths.h"

namespace fcm::eval {

struct CocoEntry {
  int64_t image_id = 0;
  int64_t category_id = 0;  // the data set's own id, which need not start at 0
  double score = 0;
  std::optional<std::array<double, 4>> box;  // x, y, width, height in pixels
  std::optional<image::RunLengths> mask;

  bool operator==(const CocoEntry&) const = default;
};

// Returns all entries in the file's order. "counts" may be text or a list of numbers; unknown keys
// are ignored. Throws Error(kData), which names `file` and the entry (from 0), if the text is not
// such a list. Examples are a missing or repeated key, an entry without box and mask, a mask whose
// runs do not add up to its size, and a polygon instead of a mask. Memory: a small multiple of the
// text, and 200 bytes per entry.
std::vector<CocoEntry> parse_coco_results(std::string_view text, const std::string& file);
std::vector<CocoEntry> read_coco_results(const std::filesystem::path& file);

// The text of such a file, one line per entry. Numbers are written with enough digits to be read
// back exactly.
std::string coco_results_text(std::span<const CocoEntry> entries);

}  // namespace fcm::eval
