// Measurements of `fastconvmae bench` and `eval --latency`: speed and memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/tasks.h"

namespace fcm::bench {

struct BenchStepRequest {
  recipe::Recipe recipe;  // of any task
  int64_t batch = 8;
  std::string precision;                // empty: the recipe's
  std::string implementation = "both";  // fast, reference or both
  int64_t steps = 5;
  // Also profiles the fast implementation over `steps` more steps; the result then has "profile",
  // the rows of Profile::table.
  bool profile = false;
  std::filesystem::path timeline;  // SVG file, only with several processes; empty: none
  tasks::MachineOptions machine;
};
// Each rank takes its slice of the batch; speeds are those of the group. With several ranks,
// "communication" has "alone": seconds of the all-reduce of gradients by itself; "waited": seconds
// that a step waits for the all-reduce and for other ranks; "hidden": the share of "alone" that a
// step does not wait for.
nlohmann::json bench_step(const BenchStepRequest& request, Reporter& reporter);

// Speed of reading and writing training state of about `bytes` bytes, compared with `cat` and `cp`
// plus fsync of the same file. Files are written to a new folder inside `folder` and removed.
nlohmann::json bench_checkpoint(int64_t bytes, const std::filesystem::path& folder,
                                Reporter& reporter);

struct BenchLoaderRequest {
  std::string data;
  // A segmentation or detection recipe, whose loader also decodes maps or objects; nullopt: the
  // published transform of pretraining (RandomResizedCrop to 224, bicubic, flip).
  std::optional<recipe::Recipe> recipe;
  double seconds = 10;  // approximate duration
  tasks::MachineOptions machine;
};
// Speed of the training loader. Rounds of the loader alternate with rounds that time, on as many
// threads, its stages one by one (only without `recipe`) and the decoding of whole images (only if
// they are encoded files). "plain_decode" has the speed of that decoding and the ratio of the
// loader's speed to it.
nlohmann::json bench_loader(const BenchLoaderRequest& request, Reporter& reporter);

struct BenchTuneRequest {
  recipe::Recipe recipe;  // of any task
  std::string data;       // empty: the loader is not measured
  double seconds = 60;    // no setting is started later, except for the first two
  tasks::MachineOptions machine;
};
// Times steps of the recipe with growing micro-batches, then in the other precision (if the device
// has bf16) and with fewer threads (on a CPU). "tried": a row for each setting, of micro_batch,
// threads, precision and images_per_second; "best": the fastest row; "flags": the flags that select
// it. With data also "loader_images_per_second" and "hours_per_epoch".
nlohmann::json bench_tune(const BenchTuneRequest& request, Reporter& reporter);

struct BenchPredictRequest {
  recipe::Recipe recipe;                // of segmentation or detection
  std::vector<int64_t> size{512, 683};  // rows and columns of the image
  std::string precision;                // empty: the recipe's
  std::string implementation = "both";  // fast, reference or both
  int64_t rounds = 3;
  tasks::MachineOptions machine;
};
// "seconds" from an image in memory to a prediction, alternating with the reference; if both are
// measured, also "ratio". Segmentation times from a resized image to its class map; the result also
// has "windows", their number, and, if both are measured, "same_class", the share of pixels with
// the same class in both. Detection times from an image in its frame to boxes and masks within
// them; the result also has "objects", their number, and, if both are measured, "same_objects", the
// share of the program's objects that the reference finds too.
nlohmann::json bench_predict(const BenchPredictRequest& request, Reporter& reporter);

struct BenchKnnRequest {
  int64_t bank = 50'000, queries = 10'000, width = 768, k = 20;
  int64_t rounds = 3;
  tasks::MachineOptions machine;
};
// Seconds of a whole eval::knn on random features, and its share of the machine's peak.
nlohmann::json bench_knn(const BenchKnnRequest& request, Reporter& reporter);

// The machine's peaks, and how close matrix products come to them. "multiply_adds": rows of dtype,
// "by" (the instruction set) and GFLOP/s in registers; "memory": rows of "what" (read, copy) and
// GB/s. Each is measured with one thread, with all threads of `machine`, with one per core and with
// one per hyperthread; the last two are null if no core has more than one hyperthread or the system
// does not say. "products": rows of the matrix products of recipes: "by" ("own" kernels or the
// "library" that the program uses), the program's GFLOP/s and its share of the machine's peak, and
// for comparison GFLOP/s of "mkl", "onednn" and "openblas", null for a library that is not
// installed or not used for the dtype.
nlohmann::json bench_peak(tasks::MachineOptions machine, Reporter& reporter);

// Times the operators and cases whose name contains `filter`.
nlohmann::json bench_ops(const std::string& filter, tasks::MachineOptions machine,
                         Reporter& reporter);

// Speed and memory of a trained classifier on synthetic images of the recipe's size, in fp32 and
// bf16, with batch 1 and `batch`: "latency", rows of precision, batch, images_per_second, times of
// a pass, and memory_bytes, the peak memory (on a CPU: resident size). `data` is not read.
nlohmann::json latency(const tasks::EvalRequest& request, Reporter& reporter);

}  // namespace fcm::bench
