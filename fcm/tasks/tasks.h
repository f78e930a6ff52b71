// What the program's commands do, as functions: apps/ parses the command line and prints results.
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

// Facts of the machine: flags, never recipe keys.
struct Machine {
  std::string device = "auto";
  int64_t threads = 0;          // of this process; 0: its share of the cores (base/threads.h)
  std::filesystem::path cache;  // for lists of large data sets; empty: none
  bool cuda_graph = true;       // pretraining on a GPU: an update as one CUDA graph
  // The processes that share the work. Rank 0 alone writes.
  std::shared_ptr<dist::Group> group = dist::group_of_one();
};

class RunLock;  // run_lock.h

// A checkpoint whose weights are used.
struct CheckpointRequest {
  std::filesystem::path path;              // whatever --checkpoint may name
  std::vector<std::string> set;            // changes of its recipe, as --set takes them
  std::vector<std::string> allow_missing;  // patterns of tensors that it need not have
};

// Files of the towers whose features are reconstructed, by the name of the target ("clip", "dino").
using TeacherFiles = std::map<std::string, std::filesystem::path>;

struct RunRequest {
  recipe::Recipe recipe;
  std::string data;             // as --data names it
  std::filesystem::path out;    // the run folder
  std::string resume = "auto";  // auto, never or a checkpoint
  bool overwrite = false;
  bool dry_run = false;
  Machine machine;
  TeacherFiles teachers;
  const std::atomic<bool>* stop = nullptr;  // set from outside: save at the next step and return
  const RunLock* lock = nullptr;            // of `out`, where the caller has it already
};

// The result holds "stopped": true where `stop` ended the run early with a checkpoint.
nlohmann::json pretrain(const RunRequest& request, Reporter& reporter);

struct FinetuneRequest {
  recipe::Recipe recipe;                   // encoder.size may be "checkpoint"
  std::vector<std::string> set;            // what was set of it, for the encoder of the checkpoint
  std::string data;                        // as --data names it, with labels
  std::filesystem::path out;               // the run folder
  std::filesystem::path checkpoint;        // whose encoder to start from; empty: from scratch
  std::vector<std::string> allow_missing;  // as in CheckpointRequest
  std::string resume = "auto";             // auto or never
  bool overwrite = false;
  bool dry_run = false;
  Machine machine;
  const std::atomic<bool>* stop = nullptr;  // as in RunRequest
};

// Trains what the recipe's task says, and measures it on the validation images. A classifier, or
// the published linear probe where classifier.learns says so: "top1", "top5" (percent), "loss",
// "images"; a segmenter: what eval_segmenter.h gives, a detector: eval_detector.h. "stopped" as
// above. The weights of the best epoch stay in <out>/best. Throws Error(kUsage) where recipe and
// checkpoint have different encoders.
nlohmann::json finetune(const FinetuneRequest& request, Reporter& reporter);

struct EvalRequest {
  std::string data;  // with labels
  CheckpointRequest checkpoint;
  std::filesystem::path out;  // a folder for result.json and confusion.png; empty: none
  int64_t batch = 64;         // images a pass; changes no count
  Machine machine;
};

// A classifier that `finetune` trained, on the validation images: "top1", "top5", "loss",
// "images", and "classes" one by one; a segmenter: eval_segmenter.h, a detector: eval_detector.h.
// Throws Error(kData) where the numbers of classes differ.
nlohmann::json eval(const EvalRequest& request, Reporter& reporter);

struct DemoRequest {
  std::filesystem::path out;
  bool overwrite = false;
  std::optional<int64_t> images;  // train on so many images only
  recipe::Recipe recipe;
  // Fine-tune as well: recipe of how; model, encoder and data are taken from `recipe`.
  std::optional<recipe::Recipe> finetune;
  Machine machine;
  const std::atomic<bool>* stop = nullptr;  // as in RunRequest
};

// Goes on with what is not finished in `out`; a finished demonstration is replaced.
nlohmann::json demo(const DemoRequest& request, Reporter& reporter);

// Accuracy of the k nearest neighbours on frozen features, in percent. Holds the features of the
// validation images, and of the training images a block at a time. Flattened tokens are
// compared where those of the validation images take at most 1 GiB.
nlohmann::json knn(const std::string& data, const CheckpointRequest& checkpoint, int64_t k,
                   Machine machine, Reporter& reporter);

struct FeaturesRequest {
  std::string data;
  CheckpointRequest checkpoint;
  std::filesystem::path out;    // F.npy or F.safetensors
  std::string tokens = "mean";  // of all patches; flat: one after another; class: a ViT's own token
  std::string split = "train";  // or val
  bool overwrite = false;
  Machine machine;
};
// Features of every image in the set's order, float32, to a file (formats/feature_file.h says
// how it looks) that is never held in memory, and F.pictures.tsv beside it: a line for each row
// with number and name of its class (-1 and nothing where there are no labels) and the image's
// name. Images that cannot be read are left out with a warning. Throws Error(kUsage) where
// something stands there already.
nlohmann::json write_features(const FeaturesRequest& request, Reporter& reporter);

nlohmann::json linprobe(const RunRequest& request, const CheckpointRequest& checkpoint,
                        Reporter& reporter);

// The same features under the published head (batch normalisation, a linear layer), trained by
// gradient steps at several rates at once: eval/rate_sweep.h.
nlohmann::json fast_linprobe(const std::string& data, const CheckpointRequest& checkpoint,
                             const Machine& machine, Reporter& reporter);

struct PredictRequest {
  CheckpointRequest checkpoint;
  std::vector<std::string> images;  // files, and folders of them
  std::filesystem::path out;        // a folder
  bool overwrite = false;           // of what an earlier call left there
  Machine machine;
};

// What a classifier, a segmenter or a detector makes of any images. For each of them the folder
// gets NAME.png, the answer drawn into the image or under it, and of a segmenter NAME.map.png,
// the map itself (one byte a pixel). results.json lists them: "file", "width", "height", "picture",
// and of a classifier "labels", the likeliest five, "class" and "score"; of a segmenter "map" and
// "classes", the names and shares (percent) of those that occur; of a detector "instances":
// "class", "score", "box" (x, y, width, height) and "mask" (COCO's run lengths), and how many of
// them, those with a score of half or more, are "drawn". Returns {"images", "unreadable", "out"}.
// Images that cannot be read are left out with a warning. Throws Error(kUsage) where something
// else is in the way, Error(kData) where no image can be read.
nlohmann::json predict(const PredictRequest& request, Reporter& reporter);

// A patch of an image, counted from 0.
struct PatchPlace {
  int64_t row = 0, col = 0;
};

struct VisualizeRequest {
  CheckpointRequest checkpoint;
  std::string what = "reconstruction";  // or pca, attention, neighbours
  std::vector<std::string> images;      // files
  std::filesystem::path out;            // a PNG
  bool overwrite = false;               // of a PNG there
  Machine machine;
  // Of reconstruction: what chooses the views, and the towers of targets that are features.
  uint64_t seed = 0;
  TeacherFiles teachers = {};
  std::vector<PatchPlace> patches = {};  // of attention: whose; empty: three
  // Of neighbours: the set, its training images, and how many are shown. Without `images` some of
  // its validation images are asked about.
  std::string data = {};
  int64_t k = 5;
};

// A sheet of images. "reconstruction": what each view saw and what was made of it; for targets
// that are features, their three principal components beside those of the prediction. "pca": the
// tokens of any encoder as colours. "attention": where the last block of a conv_vit or a vit looks.
// "neighbours": the nearest images of a set by features, which also stand in the result, as
// neighbour_sheet.h says. Returns {"out", "what"} and that. Throws Error(kCheckpoint) for weights
// without what is to be shown (a decoder, a teacher's file), Error(kUsage) where something is in
// the way.
nlohmann::json visualize(const VisualizeRequest& request, Reporter& reporter);

// Writes run_dir/report.html.
void report(const std::filesystem::path& run_dir, Reporter& reporter);

struct ReportRequest {
  std::vector<std::filesystem::path> runs;  // of several, a page that compares them
  std::filesystem::path out = {};  // a file; empty: report.html in the run, or of several, here
  bool overwrite = false;          // an earlier page at `out`; that of a run always is
};
// Returns where the page stands.
std::filesystem::path report(const ReportRequest& request, Reporter& reporter);

// Format, tensors and what else is known of a checkpoint; reads neither hashes nor moments.
// `threads`, here and in what follows, read the file; 0: as many as this process may use.
nlohmann::json show_checkpoint(const std::filesystem::path& path, Reporter& reporter,
                               int64_t threads = 0);

// Throws Error(kCheckpoint) with the first rule that does not hold.
nlohmann::json verify_checkpoint(const std::filesystem::path& path, Reporter& reporter,
                                 int64_t threads = 0);

// "equal" (the same bits), "tensors" that differ with the largest differences, names that only one
// of the two has. Moments are compared where both have them.
nlohmann::json diff_checkpoints(const std::filesystem::path& first,
                                const std::filesystem::path& second, Reporter& reporter,
                                int64_t threads = 0);

struct ConvertRequest {
  CheckpointRequest checkpoint;
  // native, pth, safetensors, hf; of the encoder alone: encoder, timm, transformers; of a
  // segmenter: mmseg, of a detector: detectron2; onnx. Empty: pth, safetensors or onnx, by the
  // ending of `out`.
  std::string to;
  std::filesystem::path out;  // a file; a folder for native, hf, timm and transformers
  bool overwrite = false;
  int64_t threads = 0;
  // Of onnx alone. features, classes, map or detections; empty: by what the checkpoint is.
  std::string what = {};
  int64_t size = 0;  // rows and columns of the images; 0: as trained
  // Of this program, for files that say who made them.
  std::string version = {}, revision = {};
};
// Throws Error(kUsage) where something stands at `out` already.
nlohmann::json convert_checkpoint(const ConvertRequest& request, Reporter& reporter);

// Decodes every image of both splits. "train" and "val" (only "train" where both are the same)
// have "images", "classes", "bad" and "bad_images", a list of names and reasons in the set's order.
nlohmann::json verify_data(const std::string& data, Machine machine, Reporter& reporter);

struct PackRequest {
  std::string data;
  std::filesystem::path out;
  loader::PackedForm form;
  bool overwrite = false;
  Machine machine;
};
// Both splits into one packed file. The result is verify_data's, with "bytes" and "out"; images
// that cannot be read are left out. Throws Error(kUsage) where a file is in the way, Error(kData)
// where a split has nothing to pack.
nlohmann::json pack_data(const PackRequest& request, Reporter& reporter);

}  // namespace fcm::tasks
