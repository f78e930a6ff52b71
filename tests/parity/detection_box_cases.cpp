// Operations on boxes without a network: the files anchors, box2box, matcher, rpn_top_proposals and
// box_inference.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <limits>
#include <map>

#include "fcm/boxes/anchors.h"
#include "fcm/boxes/deltas.h"
#include "fcm/boxes/detections.h"
#include "fcm/boxes/matcher.h"
#include "fcm/boxes/overlap.h"
#include "fcm/boxes/proposals.h"
#include "fcm/boxes/sampler.h"
#include "reference/detection_boxes.h"
#include "tests/parity/detection_cases.h"
#include "tests/parity/detection_stored.h"

namespace fcm::parity {
namespace {

// A file of boxes: its stored tensors, and in `given` its inputs after request.mistake.
struct BoxFile {
  const Entry& entry;
  Tensors stored, given;
  Path path;
  at::ScalarType type;

  at::Tensor operator()(const std::string& name) const {
    const at::Tensor& value = given.at(name);
    return value.is_floating_point() ? value.to(type) : value;
  }
  bool is_fast() const { return path == Path::kFast; }
};

// Anchors of the levels of a pyramid: level l has stride 4 * 2^l and a map of size maps[l].
at::Tensor anchors_of(const BoxFile& file, const std::vector<boxes::MapSize>& maps) {
  if (file.is_fast()) return boxes::Anchors().of(maps).boxes_A4;
  std::vector<at::Tensor> levels;
  for (size_t level = 0; level < maps.size(); ++level) {
    levels.push_back(reference::anchors_of_map(maps[level].first, maps[level].second,
                                               int64_t{4} << level,
                                               static_cast<double>(32 << level)));
  }
  return at::cat(levels);
}

// Map sizes per frame and level, from the stored names: "a.level2.3x4" says that level 2 of frame a
// has 3 rows and 4 columns.
std::map<std::string, std::vector<boxes::MapSize>> frames_of(const Tensors& stored) {
  std::map<std::string, std::vector<boxes::MapSize>> frames;
  for (const auto& [name, value] : stored) {
    const size_t level = name.find(".level"), by = name.rfind('x');
    if (level == name.npos) continue;
    const size_t sizes = name.rfind('.') + 1;
    frames[name.substr(0, level)].emplace_back(std::stoll(name.substr(sizes, by - sizes)),
                                               std::stoll(name.substr(by + 1)));
  }
  return frames;
}

Tensors anchors_run(const BoxFile& file) {
  Tensors got;
  for (const auto& [frame, maps] : frames_of(file.stored)) {
    const at::Tensor all = anchors_of(file, maps);
    int64_t first = 0;
    for (size_t level = 0; level < maps.size(); ++level) {
      const int64_t count = maps[level].first * maps[level].second * 3;
      got[fmt::format("{}.level{}.{}x{}", frame, level, maps[level].first, maps[level].second)] =
          all.narrow(0, first, count);
      first += count;
    }
  }
  std::vector<at::Tensor> cells;
  for (int level = 0; level < 5; ++level) {
    cells.push_back(file.is_fast()
                        ? boxes::anchors_of_position(32 << level, {0.5, 1, 2})
                        : reference::anchors_of_map(1, 1, 4, static_cast<double>(32 << level)));
  }
  got["cell"] = at::stack(cells);
  const at::Tensor full = anchors_of(file, {{256, 256}, {128, 128}, {64, 64}, {32, 32}, {16, 16}});
  got["full1024.val"] = full.flatten().index_select(0, file.given.at("full1024.idx"));
  for (auto& [name, value] : got) value = value + file.given.at("origin");
  return got;
}

Tensors box2box_run(const BoxFile& file) {
  Tensors got;
  const at::Tensor src = file("src"), dst = file("dst");
  for (const auto& [name, weights, plain] :
       {std::tuple{"w1", boxes::kAnchorDeltas, reference::FourWeights{1, 1, 1, 1}},
        {"w10", boxes::kRegionDeltas, reference::FourWeights{10, 10, 5, 5}}}) {
    const auto encode = [&](const at::Tensor& to) {
      return file.is_fast() ? boxes::encode(src, to, weights)
                            : reference::deltas_between(src, to, plain);
    };
    const auto decode = [&](const at::Tensor& deltas) {
      return file.is_fast() ? boxes::decode(deltas, src, weights)
                            : reference::boxes_at_deltas(deltas, src, plain);
    };
    const std::string key = name;
    got[key + ".encode"] = encode(dst);
    got[key + ".decode"] = decode(file(key + ".deltas"));
    got[key + ".decode_encode"] = decode(encode(dst));
  }
  const at::Tensor a = file("iou.a"), b = file("iou.b");
  got["iou"] = file.is_fast() ? boxes::overlaps(a, b) : reference::overlap_matrix(a, b);
  return got;
}

void keep_match(const BoxFile& file, const std::string& stem, const char* which,
                const boxes::MatchOptions& options, Tensors& got) {
  const at::Tensor overlaps = file(stem + ".quality");
  const std::string key = fmt::format("{}.{}.", stem, which);
  if (file.is_fast()) {
    const boxes::Match match = boxes::match_overlaps(overlaps, options);
    got[key + "index"] = match.truth_N;
    got[key + "label"] = match.label_N;
  } else {
    const reference::MatchedBoxes match = reference::matched_boxes(
        overlaps, options.negative_below, options.positive_from, options.low_quality);
    got[key + "index"] = match.truth_N;
    got[key + "label"] = match.label_N;
  }
}

void keep_sample(const BoxFile& file, int64_t number, const nlohmann::json& about, Tensors& got) {
  const std::string key = fmt::format("sample{}.", number);
  const auto total = about.at("num").get<int64_t>();
  const auto most = static_cast<int64_t>(static_cast<double>(total) *
                                         about.at("positive_fraction").get<double>());
  const at::Tensor labels = file(key + "labels").to(at::kChar);
  const auto first_of = [&](boxes::Side side, int64_t, int64_t wanted) {
    const bool positive = side == boxes::Side::kPositives;
    const at::Tensor drawn = file(key + (positive ? "perm_pos" : "perm_neg")).narrow(0, 0, wanted);
    const auto* numbers = drawn.const_data_ptr<int64_t>();
    return std::vector<int64_t>(numbers, numbers + wanted);
  };
  const boxes::Sampled sampled = boxes::sample(labels, {total, most}, first_of);
  got[key + "pos_idx"] = sampled.positive_P;
  got[key + "neg_idx"] = sampled.negative_Q;
}

// The upstream sampling in plain tensor calls.
void keep_plain_sample(const BoxFile& file, int64_t number, const nlohmann::json& about,
                       Tensors& got) {
  const std::string key = fmt::format("sample{}.", number);
  const auto total = about.at("num").get<int64_t>();
  const double share = about.at("positive_fraction").get<double>();
  const at::Tensor labels = file(key + "labels");
  const auto taken = [&](int64_t label, const char* permutation, int64_t most) {
    const at::Tensor all = labels.eq(label).nonzero().flatten();
    const at::Tensor order = file(key + permutation);
    return all.index_select(0, order).narrow(0, 0, std::min(most, all.size(0)));
  };
  const at::Tensor positive =
      taken(1, "perm_pos", static_cast<int64_t>(static_cast<double>(total) * share));
  got[key + "pos_idx"] = positive;
  got[key + "neg_idx"] = taken(0, "perm_neg", total - positive.size(0));
}

Tensors matcher_run(const BoxFile& file) {
  Tensors got;
  for (const auto& [name, value] : file.stored) {
    if (!name.ends_with(".quality")) continue;
    const std::string stem = name.substr(0, name.find('.'));
    keep_match(file, stem, "rpn", boxes::kAnchorMatch, got);
    keep_match(file, stem, "roi", boxes::kRegionMatch, got);
  }
  const nlohmann::json& sampling = file.entry.about.at("sampling");
  for (size_t i = 0; i < sampling.size(); ++i) {
    (file.is_fast() ? keep_sample : keep_plain_sample)(file, static_cast<int64_t>(i),
                                                       sampling.at(i), got);
  }
  return got;
}

Tensors top_proposals_run(const BoxFile& file) {
  const auto image = file.entry.about.at("image").get<std::vector<int64_t>>();
  Tensors got;
  for (const auto& [name, about] : file.entry.about.at("cases").items()) {
    std::vector<at::Tensor> levels, logits;
    for (const int level : {0, 1, 2}) {
      levels.push_back(file(fmt::format("boxes.{}", level)).clone());
      logits.push_back(file(fmt::format("logits.{}", level)).clone());
    }
    if (name == "nonfinite") {
      levels[1][3][0] = std::numeric_limits<double>::quiet_NaN();
      logits[2][4] = std::numeric_limits<double>::infinity();
    }
    const auto before = about.at("pre").get<int64_t>(), after = about.at("post").get<int64_t>();
    if (file.is_fast()) {
      const boxes::Proposals found =
          boxes::propose_boxes(logits, levels, image[0], image[1], {before, after, 0.7});
      got[name + ".boxes"] = found.boxes_P4;
      got[name + ".logits"] = found.logits_P;
    } else {
      const reference::FoundProposals found =
          reference::top_proposals(levels, logits, image[0], image[1], before, after, 0.7);
      got[name + ".boxes"] = found.boxes_P4;
      got[name + ".logits"] = found.logits_P;
    }
  }
  return got;
}

Tensors box_inference_run(const BoxFile& file) {
  const auto image = file.entry.about.at("image").get<std::vector<int64_t>>();
  const at::Tensor decoded = file("boxes"), probabilities = file("probabilities");
  if (file.is_fast()) {
    const boxes::Detections found = boxes::detect_boxes(probabilities, decoded, image[0], image[1]);
    return {{"pred_boxes", found.boxes_D4},
            {"scores", found.scores_D},
            {"classes", found.classes_D},
            {"source_roi", found.region_D}};
  }
  const reference::FoundDetections found =
      reference::box_inference(decoded, probabilities, image[0], image[1], 0.05, 0.5, 100);
  return {{"pred_boxes", found.boxes_D4},
          {"scores", found.scores_D},
          {"classes", found.classes_D},
          {"source_roi", found.region_D}};
}

struct BoxFileKind {
  Tensors (*run)(const BoxFile& file);
  std::vector<std::string> given;  // prefixes of names that are inputs
};

const std::map<std::string, BoxFileKind>& box_file_kinds() {
  static const std::map<std::string, BoxFileKind> kinds{
      {"anchors", {anchors_run, {"full1024.idx"}}},
      {"box2box", {box2box_run, {"src", "dst", "iou.", "w1.deltas", "w10.deltas"}}},
      {"matcher",
       {matcher_run,
        {"empty_truth_row.quality", "low_quality.quality", "no_truth.quality", "random.quality",
         "thresholds.quality", "tied_best.quality", "sample0.labels", "sample1.labels",
         "sample2.labels", "sample3.labels", "sample4.labels", "sample5.labels", "sample0.perm",
         "sample1.perm", "sample2.perm", "sample3.perm", "sample4.perm", "sample5.perm"}}},
      {"rpn_top_proposals", {top_proposals_run, {"boxes.", "logits."}}},
      {"box_inference", {box_inference_run, {"boxes", "probabilities"}}}};
  return kinds;
}

}  // namespace

std::vector<CaseResult> detection_box_cases(const Entry& entry, const Request& request) {
  const BoxFileKind& kind = box_file_kinds().at(entry.stem());
  return detection_in_two_types(
      entry, request, [&](CaseResult& result, Path path, at::ScalarType type) {
        Inputs inputs;  // request.mistake may change them
        const Tensors stored = read_tensors(entry.path());
        inputs.weights = stored;
        inputs.weights["origin"] = at::zeros({1});
        if (request.mistake) request.mistake(inputs);
        const BoxFile file{entry, stored, inputs.weights, path, type};
        compare_detection(result, entry, stored, kind.run(file), type, kind.given);
      });
}

}  // namespace fcm::parity
