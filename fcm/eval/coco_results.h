// COCO's file of results: a list of {"image_id", "category_id", "score", "bbox": [x, y, width,
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
  int64_t category_id = 0;  // as the data set numbers its categories, which is not from 0 on
  double score = 0;
  std::optional<std::array<double, 4>> box;  // x, y, width, height in pixels
  std::optional<image::RunLengths> mask;

  bool operator==(const CocoEntry&) const = default;
};

// Every entry, in the file's order. Counts may be text or numbers; other keys are passed over. What
// is no such list, an entry that lacks a key or has one twice, neither box nor mask, a mask whose
// runs are not of its size, or an outline in place of a mask is an Error(kData) that names `file`
// and the entry, from 0 on. Memory: a small multiple of the text, and 200 bytes an entry.
std::vector<CocoEntry> parse_coco_results(std::string_view text, const std::string& file);
std::vector<CocoEntry> read_coco_results(const std::filesystem::path& file);

// The text of such a file, one line an entry; numbers so that they are read back as they were.
std::string coco_results_text(std::span<const CocoEntry> entries);

}  // namespace fcm::eval
