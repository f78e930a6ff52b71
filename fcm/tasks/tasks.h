// The program's commands as functions: apps/ parses the command line and prints results.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/dist/group.h"
#include "fcm/loader/sources/packed_writer.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

// Settings of the machine: flags, never recipe keys.
struct MachineOptions {
  std::string device = "auto";
  int64_t threads = 0;          // of this process; 0: its share of the cores (base/threads.h)
  std::filesystem::path cache;  // for file lists of large data sets; empty: none
  bool cuda_graph = true;       // pretraining on a GPU: a step as one CUDA graph
  // The processes that share the work. Only rank 0 writes.
  std::shared_ptr<dist::Group> group = dist::group_of_one();
};

class RunLock;  // run_lock.h

// A checkpoint whose weights are used.
struct CheckpointRequest {
  std::filesystem::path path;              // anything --checkpoint accepts
  std::vector<std::string> set;            // changes of its recipe, like --set
  std::vector<std::string> allow_missing;  // patterns of tensors that may be missing
};

// Weights of the towers whose features are targets, by the target's name ("clip", "dino").
using TeacherFiles = std::map<std::string, std::filesystem::path>;

struct RunRequest {
  recipe::Recipe recipe;
  std::string data;             // as --data names it
  std::filesystem::path out;    // the run folder
  std::string resume = "auto";  // auto, never, or a checkpoint
  bool overwrite = false;
  bool dry_run = false;
  MachineOptions machine;
  TeacherFiles teachers;
  const std::atomic<bool>* stop = nullptr;  // set from outside: save at the next step and return
  const RunLock* lock = nullptr;            // of `out`, if the caller holds it
};

// The result has "stopped": true if `stop` ended the run early with a checkpoint.
nlohmann::json pretrain(const RunRequest& request, Reporter& reporter);

struct FinetuneRequest {
  recipe::Recipe recipe;                   // encoder.size may be "checkpoint"
  std::vector<std::string> set;            // the assignments of --set, for the checkpoint's encoder
  std::string data;                        // as --data names it, with labels
  std::filesystem::path out;               // the run folder
  std::filesystem::path checkpoint;        // the encoder to start from; empty: from scratch
  std::vector<std::string> allow_missing;  // like CheckpointRequest's
  std::string resume = "auto";             // auto or never
  bool overwrite = false;
  bool dry_run = false;
  MachineOptions machine;
  const std::atomic<bool>* stop = nullptr;  // like RunRequest's
};

// Trains as the recipe's task says, and measures on the validation images. Classifiers, and the
// published linear probe if classifier.learns selects it: "top1", "top5" (percent), "loss",
// "images"; segmenters: see eval_segmenter.h; detectors: see eval_detector.h. "stopped" as above.
// The weights of the best epoch stay in <out>/best. Throws Error(kUsage) if recipe and checkpoint
// have different encoders.
nlohmann::json finetune(const FinetuneRequest& request, Reporter& reporter);

struct EvalRequest {
  std::string data;  // with labels
  CheckpointRequest checkpoint;
  std::filesystem::path out;  // a folder for result.json and confusion.png; empty: none
  int64_t batch = 64;         // images per forward pass; does not change the result
  MachineOptions machine;
};

// Evaluates a classifier of `finetune` on the validation images: "top1", "top5", "loss", "images",
// and "classes" with figures per class; a segmenter: eval_segmenter.h; a detector: eval_detector.h.
// Throws Error(kData) if the classes differ.
nlohmann::json eval(const EvalRequest& request, Reporter& reporter);

struct DemoRequest {
  std::filesystem::path out;
  bool overwrite = false;
  std::optional<int64_t> images;  // train on only so many images
  recipe::Recipe recipe;
  // Recipe for fine-tuning as well; model, encoder and data are taken from `recipe`.
  std::optional<recipe::Recipe> finetune;
  MachineOptions machine;
  const std::atomic<bool>* stop = nullptr;  // like RunRequest's
};

// Resumes an unfinished demonstration in `out`; a finished one is replaced.
nlohmann::json demo(const DemoRequest& request, Reporter& reporter);

// kNN accuracy of frozen features, in percent. Keeps the features of the validation images in
// memory, and those of the training images one block at a time. Flattened tokens are compared if
// those of the validation images take at most 1 GiB.
nlohmann::json knn(const std::string& data, const CheckpointRequest& checkpoint, int64_t k,
                   MachineOptions machine, Reporter& reporter);

struct FeaturesRequest {
  std::string data;
  CheckpointRequest checkpoint;
  std::filesystem::path out;    // F.npy or F.safetensors
  std::string tokens = "mean";  // mean of all patches; flat: all patches, concatenated; class: a
                                // ViT's class token
  std::string split = "train";  // or val
  bool overwrite = false;
  MachineOptions machine;
};
// Writes the features of every image, in the set's order, as float32 to a file
// (formats/feature_file.h) that is never held in memory, and F.pictures.tsv beside it: a line per
// row with class index and name (-1 and empty without labels) and the image's name. Unreadable
// images are left out with a warning. Throws Error(kUsage) if an output exists.
nlohmann::json write_features(const FeaturesRequest& request, Reporter& reporter);

nlohmann::json linprobe(const RunRequest& request, const CheckpointRequest& checkpoint,
                        Reporter& reporter);

// The same features under the published head (batch normalisation, a linear layer), trained by
// gradient steps at several learning rates at once: eval/rate_sweep.h.
nlohmann::json fast_linprobe(const std::string& data, const CheckpointRequest& checkpoint,
                             const MachineOptions& machine, Reporter& reporter);

struct PredictRequest {
  CheckpointRequest checkpoint;
  std::vector<std::string> images;  // files, and folders of images
  std::filesystem::path out;        // a folder
  bool overwrite = false;           // of the output of an earlier call
  MachineOptions machine;
};

// Predictions of a classifier, a segmenter or a detector for any images. The folder gets NAME.png
// for each, the prediction drawn into the image or below it, and for a segmenter NAME.map.png, the
// plain map (one byte per pixel). results.json lists them: "file", "width", "height", "picture";
// for a classifier "labels", the five likeliest with "class" and "score"; for a segmenter "map" and
// "classes", the names and shares (percent) of the classes that occur; for a detector "instances"
// with "class", "score", "box" (x, y, width, height) and "mask" (COCO's run lengths), and "drawn",
// the number of those with a score of at least one half. Returns {"images", "unreadable", "out"}.
// Unreadable images are left out with a warning. Throws Error(kUsage) if other files are in the
// way, Error(kData) if no image is readable.
nlohmann::json predict(const PredictRequest& request, Reporter& reporter);

// The position of a patch in the grid, counted from 0.
struct PatchPlace {
  int64_t row = 0, col = 0;
};

struct VisualizeRequest {
  CheckpointRequest checkpoint;
  std::string what = "reconstruction";  // or pca, attention, neighbours
  std::vector<std::string> images;      // files
  std::filesystem::path out;            // a PNG
  bool overwrite = false;               // of a PNG at `out`
  MachineOptions machine;
  // For reconstruction: the seed of the masks, and the towers of feature targets.
  uint64_t seed = 0;
  TeacherFiles teachers = {};
  std::vector<PatchPlace> patches = {};  // for attention: the query patches; empty: three
  // For neighbours: the data set, whose training images are the bank, and the number of neighbours.
  // Without `images` some of its validation images are the queries.
  std::string data = {};
  int64_t k = 5;
};

// Draws a sheet. "reconstruction": each view's visible patches and the reconstruction; for feature
// targets three principal components beside those of the prediction. "pca": the tokens of any
// encoder as colours. "attention": of the last block of a conv_vit or a vit. "neighbours": the
// nearest images of a data set by features, which are also in the result, see neighbour_sheet.h.
// Returns {"out", "what"} and these. Throws Error(kCheckpoint) if the weights lack what is drawn (a
// decoder, a teacher's file), Error(kUsage) if another file is in the way.
nlohmann::json visualize(const VisualizeRequest& request, Reporter& reporter);

// Writes run_dir/report.html.
void report(const std::filesystem::path& run_dir, Reporter& reporter);

struct ReportRequest {
  std::vector<std::filesystem::path> runs;  // several: a page that compares them
  std::filesystem::path out = {};  // a file; empty: report.html in the run, or for several runs in
                                   // the current folder
  bool overwrite = false;          // replace a page at `out`; a run's own page is always replaced
};
// Returns the path of the page.
std::filesystem::path report(const ReportRequest& request, Reporter& reporter);

// Format, tensors and other facts of a checkpoint; does not read hashes or moments. `threads`, here
// and below, read the file; 0: as many as this process may use.
nlohmann::json show_checkpoint(const std::filesystem::path& path, Reporter& reporter,
                               int64_t threads = 0);

// Throws Error(kCheckpoint) with the first rule that is violated.
nlohmann::json verify_checkpoint(const std::filesystem::path& path, Reporter& reporter,
                                 int64_t threads = 0);

// "equal" (the same bits), "tensors" that differ with their largest differences, and names that
// only one has. Moments are compared if both have them.
nlohmann::json diff_checkpoints(const std::filesystem::path& first,
                                const std::filesystem::path& second, Reporter& reporter,
                                int64_t threads = 0);

struct ConvertRequest {
  CheckpointRequest checkpoint;
  // native, pth, safetensors, hf; of only the encoder: encoder, timm, transformers; of a segmenter:
  // mmseg; of a detector: detectron2; onnx. Empty: pth, safetensors or onnx, by the ending of
  // `out`.
  std::string to;
  std::filesystem::path out;  // a file; a folder for native, hf, timm and transformers
  bool overwrite = false;
  int64_t threads = 0;
  // Only for onnx. features, classes, map or detections; empty: by the kind of checkpoint.
  std::string what = {};
  int64_t size = 0;  // rows and columns of the images; 0: as trained
  // Of this program, for files with a producer field.
  std::string version = {}, revision = {};
};
// Throws Error(kUsage) if `out` exists.
nlohmann::json convert_checkpoint(const ConvertRequest& request, Reporter& reporter);

// Decodes every image of both splits. "train" and "val" (only "train" if both are the same) have
// "images", "classes", "bad" and "bad_images", a list of names and reasons in the set's order.
nlohmann::json verify_data(const std::string& data, MachineOptions machine, Reporter& reporter);

struct PackRequest {
  std::string data;
  std::filesystem::path out;
  loader::PackedForm form;
  bool overwrite = false;
  MachineOptions machine;
};
// Packs both splits into one file. The result is verify_data's, with "bytes" and "out"; unreadable
// images are left out. Throws Error(kUsage) if a file is in the way, Error(kData) if a split has no
// readable image.
nlohmann::json pack_data(const PackRequest& request, Reporter& reporter);

}  // namespace fcm::tasks
