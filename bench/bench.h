// What `fastconvmae bench` and `eval --latency` measure: speed and memory.
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
  bool profile =
      false;  // of the fast one, over as many steps more: "profile", rows of Profile::table
  std::filesystem::path timeline;  // of several processes: an SVG file; empty: none
  tasks::Machine machine;
};
// Each rank of a group takes its slice of the batch; speeds are the group's, and "communication"
// has seconds: "alone", of the sums of gradients by themselves; "waited", in a step, for them and
// for the other ranks; "hidden", the share of the former that a step does not wait for.
nlohmann::json bench_step(const BenchStepRequest& request, Reporter& reporter);

// Speed of reading and writing training state of about so many bytes, beside `cat` and `cp` with
// fsync of the same file. Files go to a folder inside `folder` and are removed.
nlohmann::json bench_checkpoint(int64_t bytes, const std::filesystem::path& folder,
                                Reporter& reporter);

struct BenchLoaderRequest {
  std::string data;
  // Of segmentation or detection, whose pictures go with maps or objects through their pipeline;
  // none: the published transform of pretraining (RandomResizedCrop to 224, bicubic, flip).
  std::optional<recipe::Recipe> recipe;
  double seconds = 10;  // about so many
  tasks::Machine machine;
};
// Speed of the training loader, alternating with its stages alone (of pretraining) and with
// decoding the same files whole, on as many threads: "plain_decode" has that speed and what the
// loader's is of it.
nlohmann::json bench_loader(const BenchLoaderRequest& request, Reporter& reporter);

struct BenchTuneRequest {
  recipe::Recipe recipe;  // of any task
  std::string data;       // empty: the loader is not measured
  double seconds = 60;    // no step is begun after them
  tasks::Machine machine;
};
// Steps of the recipe with more and more images in a pass, in both types and with fewer threads:
// "tried" and "best", rows of micro_batch, threads, precision and images_per_second, and "flags",
// what to write behind a command for the best. With data also "loader_images_per_second" and
// "hours_per_epoch".
nlohmann::json bench_tune(const BenchTuneRequest& request, Reporter& reporter);

struct BenchPredictRequest {
  recipe::Recipe recipe;                // of segmentation or detection
  std::vector<int64_t> size{512, 683};  // rows and columns of the picture
  std::string precision;                // empty: the recipe's
  std::string implementation = "both";  // fast, reference or both
  int64_t rounds = 3;
  tasks::Machine machine;
};
// Seconds from a picture in memory to an answer, of this program and of the published form,
// alternating: "seconds"; of both also "ratio". Segmentation: from a resized picture to the map of
// its classes; "windows", and "same_class", the share of pixels of which both say the same.
// Detection: from a picture in its frame to boxes and masks within them; "objects", and of both
// "same_objects", the share that both find.
nlohmann::json bench_predict(const BenchPredictRequest& request, Reporter& reporter);

struct BenchKnnRequest {
  int64_t bank = 50'000, queries = 10'000, width = 768, k = 20;
  int64_t rounds = 3;
  tasks::Machine machine;
};
// Seconds of a whole eval::knn on made-up features, and what that is of the processor's peak.
nlohmann::json bench_knn(const BenchKnnRequest& request, Reporter& reporter);

// What this machine can do at most, and how near its matrix products come. "multiply_adds": rows of
// dtype, by (a class of processor) and GFLOP/s in registers; "memory": rows of what (read, copy)
// and GB/s. Each with one thread, all of `machine`, one on every core and one on every hyperthread;
// the last two null where the system does not tell, and where hyperthreads are cores.
// "products": rows of the products of recipes, their GFLOP/s with `by` (own kernels, or the
// library) and share of the peak, beside every library at hand: "mkl", "onednn", "openblas", null
// where one is not there.
nlohmann::json bench_peak(tasks::Machine machine, Reporter& reporter);

// Operators whose name contains `filter`.
nlohmann::json bench_ops(const std::string& filter, tasks::Machine machine, Reporter& reporter);

// Speed and memory of a trained classifier on made-up pictures of the recipe's size, in fp32 and
// bf16, one at a time and `batch` of them: "latency", rows of precision, batch, images_per_second,
// the times of a pass, and memory_bytes, the largest resident size of the process meanwhile. `data`
// is not read.
nlohmann::json latency(const tasks::EvalRequest& request, Reporter& reporter);

}  // namespace fcm::bench
