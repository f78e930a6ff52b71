// The program's commands as functions. apps/ parses the command line, calls them and prints
// results.
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

// Settings of the machine, which are flags and never recipe keys.
struct MachineOptions {
  std::string device = "auto";
  int64_t threads = 0;          // of this process; 0: its share of the cores (base/threads.h)
  std::filesystem::path cache;  // folder for file lists of large data sets; empty: none
  bool cuda_graph = true;       // pretraining on a GPU: runs a step as one CUDA graph
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

// Files with the weights of teachers, by the name of the target ("clip", "dino").
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
  const std::atomic<bool>* stop = nullptr;  // once true: saves after this step and returns
  const RunLock* lock = nullptr;            // of `out`, if the caller holds it
};

// The result has "stopped": true if `stop` ended the run early with a checkpoint.
nlohmann::json pretrain(const RunRequest& request, Reporter& reporter);

struct FinetuneRequest {
  recipe::Recipe recipe;                   // encoder.size may be "checkpoint"
  std::vector<std::string> set;            // --set; its encoder keys override the checkpoint's
  std::string data;                        // as --data names it; with labels, maps or objects
  std::filesystem::path out;               // the run folder
  std::filesystem::path checkpoint;        // the encoder to start from; empty: from scratch
  std::vector<std::string> allow_missing;  // like CheckpointRequest's
  std::string resume = "auto";             // auto or never
  bool overwrite = false;
  bool dry_run = false;
  MachineOptions machine;
  const std::atomic<bool>* stop = nullptr;  // like RunRequest's
};

// Trains as the recipe's task says, and measures on the validation images. The result of
// classifiers, and of upstream's linear probe if classifier.learns selects it, has "top1", "top5"
// (percent), "loss" and "images"; for segmenters see eval_segmenter.h, for detectors
// eval_detector.h. "stopped" is as in pretrain(). The weights of the best epoch stay in <out>/best.
// Throws Error(kUsage) if recipe and checkpoint have different encoders.
nlohmann::json finetune(const FinetuneRequest& request, Reporter& reporter);

struct EvalRequest {
  std::string data;  // with labels, maps or objects
  CheckpointRequest checkpoint;
  std::filesystem::path out;  // a folder for result.json and a sheet; empty: none
  int64_t batch = 64;         // classifiers: images per forward pass; does not change the result
  MachineOptions machine;
};

// Measures a classifier on the validation images: "top1", "top5", "loss", "images", and "classes"
// with figures per class. For segmenters see eval_segmenter.h, for detectors eval_detector.h.
// Throws Error(kData) if the classes of data and network do not match.
nlohmann::json eval(const EvalRequest& request, Reporter& reporter);

struct DemoRequest {
  std::filesystem::path out;
  bool overwrite = false;
  std::optional<int64_t> images;  // train on only this many images
  recipe::Recipe recipe;
  // If set, also fine-tunes with this recipe; model, encoder and data are taken from `recipe`.
  std::optional<recipe::Recipe> finetune;
  MachineOptions machine;
  const std::atomic<bool>* stop = nullptr;  // like RunRequest's
};

// Resumes an unfinished demonstration in `out`; a finished one is replaced.
nlohmann::json demo(const DemoRequest& request, Reporter& reporter);

// kNN accuracy of frozen features, in percent. Holds the features of all validation images in
// memory, and the features of the training images one block at a time. Mean tokens are compared,
// and flattened tokens as well if those of the validation images take at most 1 GiB.
nlohmann::json knn(const std::string& data, const CheckpointRequest& checkpoint, int64_t k,
                   MachineOptions machine, Reporter& reporter);

struct FeaturesRequest {
  std::string data;
  CheckpointRequest checkpoint;
  std::filesystem::path out;    // F.npy or F.safetensors
  std::string tokens = "mean";  // the mean of all tokens; flat: all tokens, concatenated; class: a
                                // ViT's class token
  std::string split = "train";  // or val
  bool overwrite = false;
  MachineOptions machine;
};
// Writes the features of every image, in the set's order, as float32 to a file
// (formats/feature_file.h), without holding all of them in memory. Writes F.pictures.tsv next to
// it, with one line per row of features: class index, class name (-1 and empty without labels) and
// the image's name. Unreadable images are left out with a warning. Throws Error(kUsage) if an
// output exists and is not to be replaced.
nlohmann::json write_features(const FeaturesRequest& request, Reporter& reporter);

// Accuracy of logistic regression on frozen features, trained to its optimum (eval/linear_probe.h).
nlohmann::json linprobe(const RunRequest& request, const CheckpointRequest& checkpoint,
                        Reporter& reporter);

// Accuracy of upstream's probe head (batch normalisation, a linear layer) on frozen features,
// trained by SGD at several learning rates at once (eval/rate_sweep.h).
nlohmann::json fast_linprobe(const std::string& data, const CheckpointRequest& checkpoint,
                             const MachineOptions& machine, Reporter& reporter);

struct PredictRequest {
  CheckpointRequest checkpoint;
  std::vector<std::string> images;  // files, and folders of images
  std::filesystem::path out;        // a folder
  bool overwrite = false;           // replace the output of an earlier call
  MachineOptions machine;
};

// Predictions of a classifier, a segmenter or a detector for any images. For each image, writes
// NAME.png with the prediction drawn into the image or below it, and for a segmenter NAME.map.png,
// the class map (one byte per pixel). results.json has one entry per image:
//   all          "file", "width", "height", "picture"
//   classifier   "labels", the five with the highest "score", with "class"
//   segmenter    "map", and "classes" with the name and share (percent) of each class that occurs
//   detector     "instances" with "class", "score", "box" (x, y, width, height) and "mask" (COCO's
//                run lengths), and "drawn", the number of instances with a score of at least 0.5
// Returns {"images", "unreadable", "out"}. Unreadable images are left out with a warning. Throws
// Error(kUsage) if a file that this program did not write would be replaced, Error(kData) if no
// image is readable.
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
  bool overwrite = false;               // replace a PNG at `out`
  MachineOptions machine;
  // For reconstruction: the seed of the masks, and the files of the teachers.
  uint64_t seed = 0;
  TeacherFiles teachers = {};
  std::vector<PatchPlace> patches = {};  // for attention: the query patches; empty: three defaults
  // For neighbours: the data set, whose training images are the bank, and the number of neighbours.
  // If `images` is empty, some of its validation images are the queries.
  std::string data = {};
  int64_t k = 5;
};

// Draws a sheet. request.what selects its content:
//   reconstruction   the visible patches of each view and the reconstruction; for feature targets,
//                    three principal components of the target and of the prediction
//   pca              the tokens of any encoder as colours
//   attention        the attention of the last block of a conv_vit or a vit
//   neighbours       the nearest images of a data set by features
// Returns {"out", "what"}; for neighbours also the list of neighbour_sheet.h. Throws
// Error(kCheckpoint) if a decoder or the file of a teacher is needed and missing, Error(kUsage) if
// another file is at `out`.
nlohmann::json visualize(const VisualizeRequest& request, Reporter& reporter);

// Writes run_dir/report.html. Only warns if another program wrote the file that is there.
void report(const std::filesystem::path& run_dir, Reporter& reporter);

struct ReportRequest {
  std::vector<std::filesystem::path> runs;  // several: a page that compares them
  std::filesystem::path out = {};  // a file; empty: report.html in the run, or for several runs in
                                   // the current folder
  bool overwrite = false;          // replace a page at `out`; a run's own page is always replaced
};
// Returns the path of the page.
std::filesystem::path report(const ReportRequest& request, Reporter& reporter);

// Format, tensors and other facts of a checkpoint. Does not verify hashes and does not read
// moments. `threads`, here and below: how many threads read the file; 0: as many as this process
// may use.
nlohmann::json show_checkpoint(const std::filesystem::path& path, Reporter& reporter,
                               int64_t threads = 0);

// Checks hashes and the rules of the format. Throws Error(kCheckpoint) with the first violated
// rule.
nlohmann::json verify_checkpoint(const std::filesystem::path& path, Reporter& reporter,
                                 int64_t threads = 0);

// Compares two checkpoints. Returns "equal" (whether all bits are equal), the "tensors" that differ
// with their largest differences, and the names of tensors that only one checkpoint has. Moments
// are compared if both checkpoints have them.
nlohmann::json diff_checkpoints(const std::filesystem::path& first,
                                const std::filesystem::path& second, Reporter& reporter,
                                int64_t threads = 0);

struct ConvertRequest {
  CheckpointRequest checkpoint;
  // The format: native, pth, safetensors or hf; encoder, timm or transformers (only the encoder);
  // mmseg (a segmenter); detectron2 (a detector); onnx. Empty: pth, safetensors or onnx, by the
  // ending of `out`.
  std::string to;
  std::filesystem::path out;  // a file; a folder for native, hf, timm and transformers
  bool overwrite = false;
  int64_t threads = 0;
  // Only for onnx: features, classes, map or detections; empty: depends on the kind of checkpoint.
  std::string what = {};
  int64_t size = 0;  // only for onnx: rows and columns of the images; 0: as trained
  // Version and revision of this program, for files with a producer field.
  std::string version = {}, revision = {};
};
// Writes a checkpoint in another format. Throws Error(kUsage) if `out` exists and is not to be
// replaced.
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
// Packs both splits into one file. Returns "train" and "val" as verify_data does, "bytes" and
// "out"; unreadable images are left out. Throws Error(kUsage) if `out` exists and is not to be
// replaced, Error(kData) if a split has no readable image.
nlohmann::json pack_data(const PackRequest& request, Reporter& reporter);

}  // namespace fcm::tasks
