// The cells of paths_long_test.cpp (command x kind of run x form of checkpoint) that do not simply
// give the result of the run folder: cells that are refused, with message and exit status, and
// cells that give another result.
#pragma once

#include <fnmatch.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::paths {

inline bool fits(const char* pattern, const std::string& name) {
  return ::fnmatch(pattern, name.c_str(), FNM_EXTMATCH) == 0;
}

// A set of cells. Each field is a pattern with *, ?, @(this|that) and !(this).
struct CellPattern {
  const char *command, *origin, *form;
};
inline bool fits(const CellPattern& cells, const std::string& command, const std::string& origin,
                 const std::string& form) {
  return fits(cells.command, command) && fits(cells.origin, origin) && fits(cells.form, form);
}

// Cells that are refused. `sentence` is a part of the message that contains no names of files or
// runs; docs/tour/10-checkpoint.md quotes it.
struct Refusal {
  CellPattern cells;
  ExitCode code;
  const char* sentence;
};

inline const char* const kConv =
    "@(fast_convmae|convmae|cross|mixture|ema|tuned_convmae|tuned_mixture|probe_convmae)";
inline const char* const kPretrained =
    "@(fast_convmae|convmae|mae|fast_mae|cross|mixture|ema|simmim|greenmim|fast_greenmim)";
inline const char* const kNoClassToken =
    "@(fast_convmae|convmae|cross|mixture|ema|tuned_convmae|tuned_mixture|probe_convmae|simmim|greenmim|"
    "fast_greenmim|tuned_simmim|tuned_greenmim)";
inline const char* const kClassifiers = "@(tuned_*|probe_*)";
inline const char* const kSegmenters = "segmented_*";
inline const char* const kDetectors = "detected_*";
inline const char* const kSegmentersAndDetectors = "@(segmented_*|detected_*)";
inline const char* const kSwins = "@(simmim|greenmim|fast_greenmim)";
inline const char* const kAllOnSwin =
    "@(simmim|greenmim|fast_greenmim|tuned_simmim|tuned_greenmim)";
// Origins whose heads ViTModel and SwinModel cannot store.
inline const char* const kHeadsNotStored = "@(tuned_token|tuned_simmim|tuned_greenmim)";
inline const char* const kWeightsAlone = "@(safetensors|hf|encoder|timm|transformers)";
inline const char* const kEncoders = "@(encoder|timm|transformers)";

inline const std::vector<Refusal> kRefusals = {
    {{"eval", kPretrained, "*"},
     ExitCode::kCheckpoint,
     "holds no classifier, segmenter or detector; train one with"},
    {{"@(eval|convert_onnx)", kHeadsNotStored, "transformers"},
     ExitCode::kCheckpoint,
     "so it is not a classifier"},
    {{"@(eval|convert_onnx)", "probe_*", "timm"},
     ExitCode::kCheckpoint,
     "so it is not a classifier"},
    {{"features_class", kNoClassToken, "*"},
     ExitCode::kUsage,
     "has no class token; take mean or flat"},
    {{"visualize", kPretrained, kEncoders}, ExitCode::kCheckpoint, "has no decoder"},
    {{"visualize", kClassifiers, "*"}, ExitCode::kCheckpoint, "has no decoder"},
    {{"visualize", "@(mixture|ema)", "@(safetensors|hf)"},
     ExitCode::kCheckpoint,
     "has no EMA of the encoder"},
    {{"visualize_attention", kAllOnSwin, "*"},
     ExitCode::kUsage,
     "attention is shown of a conv_vit or a vit"},
    {{"report", "*", "!(run)"}, ExitCode::kUsage, "is not a run folder: it has no recipe.toml"},
    {{"resume", "*", kWeightsAlone}, ExitCode::kCheckpoint, "holds weights but no training state"},
    {{"resume", "tuned_*", "@(run|step|native|pth)"},
     ExitCode::kCheckpoint,
     "does not fit this model"},
    {{"resume", kSegmentersAndDetectors, "@(run|step|native)"},
     ExitCode::kCheckpoint,
     "does not fit this model"},
    {{"resume", kSegmentersAndDetectors, "@(pth|mmseg|detectron2)"},
     ExitCode::kCheckpoint,
     "holds weights but no training state"},
    {{"resume", "probe_*", "@(run|step|native)"}, ExitCode::kCheckpoint, "does not fit this model"},
    {{"resume", "probe_*", "pth"}, ExitCode::kCheckpoint, "holds weights but no training state"},
    {{"convert_@(timm|transformers)", kConv, "*"}, ExitCode::kUsage, "holds a conv_vit, which"},
    {{"convert_transformers", "@(tuned_mae|probe_mae)", "*"},
     ExitCode::kUsage,
     "takes the mean of all patches (fc_norm)"},
    {{"segment", kSwins, "*"}, ExitCode::kCheckpoint, "on which there is no published segmenter"},
    {{"segment", "ema", "*"}, ExitCode::kCheckpoint, "was trained on grey images"},
    {{"segment", "mae", "*"},
     ExitCode::kUsage,
     "names 0 blocks, but model.kind = \"vit\" needs four"},
    {{"predict", kPretrained, "*"},
     ExitCode::kCheckpoint,
     "holds no classifier, segmenter or detector; train one with"},
    {{"predict", kHeadsNotStored, "transformers"},
     ExitCode::kCheckpoint,
     "so it is not a classifier"},
    {{"predict", "probe_*", "timm"}, ExitCode::kCheckpoint, "so it is not a classifier"},
    {{"detect", "mae", "*"}, ExitCode::kUsage, "takes a map after each quarter"},
    {{"detect", "ema", "*"}, ExitCode::kCheckpoint, "was trained on grey images"},
    {{"segment", kDetectors, "*"}, ExitCode::kCheckpoint, "is a detector: its encoder has tables"},
    {{"convert_detectron2", "!(detected_*)", "*"}, ExitCode::kUsage, "is not a detector; take pth"},
    {{"@(finetune|linprobe*|knn|features_*|visualize|visualize_@(attention|neighbours))",
      kDetectors, "*"},
     ExitCode::kCheckpoint,
     "is a detector: its encoder has tables"},
    {{"convert_@(hf|encoder|timm|transformers)", kDetectors, "*"},
     ExitCode::kUsage,
     "is a detector, whose encoder has tables"},
    {{"convert_mmseg", "!(segmented_*)", "*"}, ExitCode::kUsage, "is not a segmenter; take pth"},
    {{"@(finetune|linprobe*|knn|features_*|visualize|visualize_@(attention|neighbours))",
      kSegmenters, "*"},
     ExitCode::kCheckpoint,
     "is a segmenter: its encoder has relative positions"},
    {{"convert_@(hf|encoder|timm|transformers)", kSegmenters, "*"},
     ExitCode::kUsage,
     "is a segmenter, whose encoder has relative positions"},
};

// Cells that work but give another result than the run folder, each for a documented reason.
inline const std::vector<CellPattern> kOtherResults = {
    // An exported ConvViT encoder lacks the layers that fuse the first stages into the last.
    {"@(knn|linprobe|linprobe_fast|features_mean|features_flat|convert_onnx|visualize_pca|"
     "visualize_neighbours)",
     "@(fast_convmae|convmae|cross|mixture|ema)", "encoder"},
    // The file has no decoder.
    {"@(convert_native|convert_pth|convert_safetensors|convert_hf|show|diff)", kPretrained,
     kEncoders},
    // The file has no head.
    {"@(finetune|convert_native|convert_pth|convert_safetensors|convert_hf|convert_encoder|"
     "convert_timm|show|diff)",
     kHeadsNotStored, "transformers"},
    {"@(convert_native|convert_pth|convert_safetensors|convert_hf|convert_encoder|diff)",
     "probe_mae", "timm"},
    // The run evaluates its moving average, which the file does not store.
    {"@(eval|predict|convert_onnx)", "tuned_*", kWeightsAlone},
};

inline const Refusal* refusal_of(const std::string& command, const std::string& origin,
                                 const std::string& form) {
  const auto found = std::find_if(kRefusals.begin(), kRefusals.end(), [&](const Refusal& one) {
    return fits(one.cells, command, origin, form);
  });
  return found == kRefusals.end() ? nullptr : &*found;
}

inline bool gives_other_result(const std::string& command, const std::string& origin,
                               const std::string& form) {
  return std::any_of(kOtherResults.begin(), kOtherResults.end(),
                     [&](const CellPattern& one) { return fits(one, command, origin, form); });
}

}  // namespace fcm::paths
