// One self-contained HTML page about a run: it has no scripts and loads no other file.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fcm::viz {

struct ReportImage {
  std::string caption;
  std::vector<uint8_t> png;  // bytes of the file
};

struct ReportTable {
  std::string title;
  std::vector<std::string> headers;
  std::vector<std::vector<std::string>> rows;  // cells that read as numbers are right-aligned
  std::string note;
};

// Everything but the title may be empty, and any key of `summary` may be missing or null. Missing
// values are computed from the log if possible, else left out of the page.
//
// Keys of `summary`:
//   name               a sentence about the run, below the title
//   data, machine, device, precision, revision, finished   text, in the line below the name
//   threads, batch_size, seed                              numbers, in the same line
//   images_seen, seconds, images_per_second, parameters, final_loss, peak_memory_bytes
//   command            the command that repeats the run: text, or a list of lines
//   knn, linprobe      {"raw", "untrained", "pretrained"}: accuracies in percent, each for the
//                      better of "mean" and "flattened" features
//   mIoU, mAcc, aAcc, images               of segmentation; the first three in percent
//   classes            [{"class", "iou", "accuracy", "pixels"}] of segmentation; IoU and accuracy
//                      in percent, null: undefined
//   features           {"flattened": {"knn": {"raw", ...}, "linprobe": {...}}, "mean": {...}}, or
//                      with the two levels exchanged
struct ReportInput {
  std::string title;
  nlohmann::json summary;
  std::vector<nlohmann::json> log;  // lines of log.jsonl: step objects and epoch objects
  std::vector<ReportImage> images;
  std::vector<ReportTable> tables;
  std::string recipe_toml;          // resolved, as run
  std::vector<std::string> faults;  // unreadable images, skipped steps, roll-backs: one line each
  std::vector<std::string> notes;
};

// Every page's generator tag.
inline constexpr const char* kGenerator = "<meta name=\"generator\" content=\"fastconvmae\">";

// The page, in UTF-8. In log lines data_wait and utilisation are from 0 to 1; skipped_samples and
// skipped_updates count from the start of the run.
std::string render_report(const ReportInput& input);

}  // namespace fcm::viz
