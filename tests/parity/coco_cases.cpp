// COCO detection metrics: the twelve figures, also by category and threshold, within 1e-9; curves
// in their stored precision; matches and masks exactly.
#include "tests/parity/coco_cases.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <regex>

#include "fcm/base/error.h"
#include "tests/support/coco_set.h"

namespace fcm::parity {
namespace {

using eval::CocoShape;
using CocoJson = nlohmann::json;
using test::CocoSet;

constexpr double kFigures = 1e-9;  // the bound in the set's README

// The files store an undefined figure as -1; this program represents it as NaN.
double stored_figure(double share) { return std::isnan(share) ? -1 : share; }

void compare_share(CaseResult& result, const std::string& name, double got,
                   const CocoJson& wanted) {
  compare(result, name, at::scalar_tensor(stored_figure(got), at::kDouble),
          at::scalar_tensor(wanted.get<double>(), at::kDouble), kFigures, /*largest=*/1);
}

// Compares the figures that are stored by name; `stored` may have other keys too.
void compare_figures(CaseResult& result, const std::string& place, const eval::CocoFigures& got,
                     const CocoJson& stored) {
  int64_t known = 0;
  for (const auto& [name, figure] : eval::kCocoFigureNames) {
    if (!stored.contains(name)) continue;
    compare_share(result, fmt::format("{}.{}", place, name), got.*figure, stored.at(name));
    ++known;
  }
  require(known >= 9, "{} has {} figures", place, known);
}

std::vector<eval::CocoEntry> stored_results(const CocoJson& results) {
  return eval::parse_coco_results(results.dump(), "stored results");
}

// `expected` is {"bbox": figures, "segm": figures}, for the results on one set.
void compare_expected(CaseResult& result, const std::string& place, const CocoSet& set,
                      const std::vector<eval::CocoEntry>& results, const CocoJson& expected) {
  for (const auto& [name, shape] :
       {std::pair{"bbox", CocoShape::kBox}, {"segm", CocoShape::kMask}}) {
    const eval::CocoResult got = test::evaluated(set, results, shape).result();
    const CocoJson& wanted = expected.at(name);
    const std::string here = fmt::format("{}{}", place, name);
    compare_figures(result, here, got.figures, wanted);
    if (!wanted.contains("per_category_AP")) continue;
    require(wanted.at("per_category_AP").size() == set.categories.size(), "another set");
    for (size_t i = 0; i < set.categories.size(); ++i) {
      const std::string id = std::to_string(set.categories[i]);
      compare_share(result, fmt::format("{}.category {}", here, id), got.categories[i].ap,
                    wanted.at("per_category_AP").at(id));
    }
    for (size_t t = 0; t < got.ap_at.size(); ++t) {
      compare_share(result, fmt::format("{}.threshold {}", here, t), got.ap_at[t],
                    wanted.at("AP_per_IoU").at(t));
    }
  }
}

void micro(CaseResult& result, const Entry& entry) {
  for (const CocoJson& one : read_json(entry.path())) {
    compare_expected(result, one.at("case").get<std::string>() + ".", test::coco_set(one.at("gt")),
                     stored_results(one.at("dt")), one.at("expected"));
  }
}

void synthetic(CaseResult& result, const Entry& entry) {
  compare_expected(result, "", test::coco_set(read_json(entry.folder / "eval_synthetic.gt.json")),
                   eval::read_coco_results(entry.folder / "eval_synthetic.dt.json"),
                   read_json(entry.path()));
}

void real_sample(CaseResult& result, const Entry& entry) {
  // Resolves links, so that a changed copy of the set (changed_set.h) finds the sample too.
  const auto folder =
      std::filesystem::canonical(entry.folder / "eval_coco_sample.dt.json").parent_path();
  const auto truths = folder / "../../data/coco-sample/annotations/instances_val2017.json";
  compare_expected(result, "", test::coco_set(read_json(truths)),
                   eval::read_coco_results(entry.folder / "eval_coco_sample.dt.json"),
                   read_json(entry.path()));
}

struct StoredSet {
  const char* name;
  const char* file;
  CocoShape shape;
};
constexpr StoredSet kStoredSets[] = {{"bbox", "detections_bbox.json", CocoShape::kBox},
                                     {"segm", "detections_segm.json", CocoShape::kMask}};

void figures(CaseResult& result, const Entry& entry) {
  const CocoJson expected = read_json(entry.path());
  const CocoSet set = test::coco_set(read_json(entry.folder / "gt.json"));
  for (const StoredSet& one : kStoredSets) {
    const auto results = eval::read_coco_results(entry.folder / one.file);
    const eval::CocoResult got = test::evaluated(set, results, one.shape).result();
    compare_figures(result, one.name, got.figures, expected.at(one.name));
    const CocoJson& by_category = expected.at(fmt::format("{}_per_category", one.name));
    require(by_category.size() == set.categories.size(), "another set");
    for (size_t i = 0; i < set.categories.size(); ++i) {
      require(by_category[i].at("category_id") == set.categories[i], "categories in another order");
      compare_figures(result, fmt::format("{}.category {}", one.name, set.categories[i]),
                      got.categories[i], by_category[i]);
    }
    for (const auto& [mistake, value] :
         expected.at("controls_wrong_on_purpose").at(one.name).items()) {
      const bool same = std::abs(value.get<double>() - got.figures.ap) <= kFigures;
      if (same != (mistake == "AP")) {
        add_fault(result, fmt::format("{} is {}, as {}", one.name, got.figures.ap, mistake));
      }
    }
  }
}

// Compares precision [thresholds, recalls, categories, area ranges, detection limits] and recall,
// which are -1 where undefined.
void curves(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.path());
  const CocoSet set = test::coco_set(read_json(entry.folder / "gt.json"));
  const int64_t categories = std::ssize(set.categories);
  require(stored.size() == 4, "{} tensors", stored.size());
  for (const StoredSet& one : kStoredSets) {
    const auto evaluation =
        test::evaluated(set, eval::read_coco_results(entry.folder / one.file), one.shape);
    at::Tensor precision = at::full({10, 101, categories, 4, 3}, -1, at::kDouble);
    at::Tensor recall = at::full({10, categories, 4, 3}, -1, at::kDouble);
    constexpr int64_t kNumbers[] = {1, 10, 100};
    for (int64_t i = 0; i < categories * 4 * 3; ++i) {
      const int64_t category = i / 12, range = i / 3 % 4, number = i % 3;
      auto curve = evaluation.curve(category, static_cast<eval::CocoArea>(range), kNumbers[number]);
      if (!curve) continue;
      precision.select(4, number)
          .select(3, range)
          .select(2, category)
          .copy_(at::from_blob(curve->precision.data(), {10, 101}, at::kDouble));
      recall.select(3, number)
          .select(2, range)
          .select(1, category)
          .copy_(at::from_blob(curve->recall.data(), {10}, at::kDouble));
    }
    const std::string name = one.name;
    compare(result, name + ".precision", precision, stored.at(name + ".precision"), 0x1p-24, 1);
    compare(result, name + ".recall", recall, stored.at(name + ".recall"), 0x1p-24, 1);
  }
}

// For one image and category: which detection matches which truth at IoU 0.5 and 0.75, and which
// are ignored at 0.5.
CocoJson matches_of(const CocoSet& set, const std::vector<eval::CocoEntry>& results,
                    CocoShape shape, const CocoJson& stored) {
  std::vector<const eval::CocoEntry*> found;
  for (const CocoJson& id : stored.at("dtIds")) {
    found.push_back(&results.at(id.get<size_t>() - 1));
  }
  std::vector<const eval::CocoTruth*> truths;
  for (const eval::CocoTruth& one : set.truths.at(stored.at("image_id"))) {
    if (one.category == set.place_of(stored.at("category_id"))) truths.push_back(&one);
  }
  std::vector<eval::ScoredArea> areas;
  std::vector<eval::TruthArea> truth_areas;
  for (const auto* one : truths) truth_areas.push_back({one->area, one->crowd});
  std::vector<double> ious;
  for (const auto* one : found) {
    const bool masks = shape == CocoShape::kMask;
    areas.push_back({one->score, masks ? static_cast<double>(image::mask_area(*one->mask))
                                       : (*one->box)[2] * (*one->box)[3]});
    for (const auto* truth : truths) {
      const uint8_t crowd[] = {truth->crowd};
      const image::RunLengths *mine[] = {masks ? &*one->mask : nullptr},
                              *theirs[] = {&*truth->mask};
      ious.push_back(masks ? image::mask_ious(mine, theirs, crowd)[0]
                           : eval::box_iou(*one->box, truth->box, truth->crowd));
    }
  }
  CocoJson got{{"match50", CocoJson::array()},
               {"match75", CocoJson::array()},
               {"ignore50", CocoJson::array()}};
  for (const eval::CocoOutcome& one : eval::match_detections(areas, truth_areas, ious)) {
    got["match50"].push_back(one.matched[0] & 1);
    got["match75"].push_back(one.matched[0] >> 5 & 1);
    got["ignore50"].push_back(one.ignored[0] & 1);
  }
  return got;
}

void matches(CaseResult& result, const Entry& entry) {
  const CocoSet set = test::coco_set(read_json(entry.folder / "gt.json"));
  const StoredSet& one = kStoredSets[entry.file == "matches_bbox.json" ? 0 : 1];
  const auto results = eval::read_coco_results(entry.folder / one.file);
  for (const CocoJson& stored : read_json(entry.path())) {
    CocoJson wanted;
    for (const char* name : {"match50", "match75", "ignore50"}) {
      wanted[name] = CocoJson::array();
      for (const CocoJson& value : stored.at(name)) wanted[name].push_back(value == 0 ? 0 : 1);
    }
    ++result.tensors;
    const CocoJson got = matches_of(set, results, one.shape, stored);
    if (got == wanted) continue;
    add_fault(result,
              fmt::format("picture {}, category {}: {}, stored {}", stored.at("image_id").dump(),
                          stored.at("category_id").dump(), got.dump(), wanted.dump()));
  }
}

image::RunLengths runs_of(const at::Tensor& mask_HW) {
  return image::encode_mask(
      {mask_HW.const_data_ptr<uint8_t>(), static_cast<size_t>(mask_HW.numel())}, mask_HW.size(0),
      mask_HW.size(1));
}

at::Tensor bytes_of_mask(const image::RunLengths& mask) {
  return at::tensor(image::decode_mask(mask), at::kByte).view({mask.rows, mask.cols});
}

void compare_text(CaseResult& result, const std::string& name, const image::RunLengths& got,
                  const CocoJson& wanted) {
  ++result.tensors;
  const std::string text = image::run_lengths_text(got);
  if (text != wanted.get<std::string>())
    add_fault(result, fmt::format("{}: {}, stored {}", name, text, wanted.dump()));
}

// Compares the overlaps of boxes, and of masks of one image size rasterised from polygons.
void overlaps(CaseResult& result, const Tensors& stored, const CocoJson& about) {
  const auto box_at = [](const at::Tensor& boxes_N4, int64_t row) {
    std::array<double, 4> box{};
    for (int64_t i = 0; i < 4; ++i) box[static_cast<size_t>(i)] = boxes_N4[row][i].item<double>();
    return box;
  };
  const at::Tensor &detections = stored.at("boxes_a"), &truths = stored.at("boxes_b");
  std::vector<const image::RunLengths*> masks;
  std::vector<image::RunLengths> kept;
  const int64_t polygons = std::ssize(about.at("polygons").at("items"));
  for (int64_t i = 1; i <= polygons; ++i) {
    kept.push_back(runs_of(stored.at(fmt::format("polygon.{}", i)).contiguous()));
  }
  for (const image::RunLengths& one : kept) masks.push_back(&one);
  for (const bool crowds : {false, true}) {
    const char* ending = crowds ? "_crowd" : "";
    auto flags = about.at("crowd_flags_boxes").get<std::vector<uint8_t>>();
    std::vector<double> ious;
    for (int64_t d = 0; d < detections.size(0); ++d) {
      for (int64_t t = 0; t < truths.size(0); ++t) {
        ious.push_back(eval::box_iou(box_at(detections, d), box_at(truths, t),
                                     crowds && flags[static_cast<size_t>(t)] != 0));
      }
    }
    const std::string boxes = fmt::format("iou.boxes{}", ending);
    compare(result, boxes, at::tensor(ious, at::kDouble), stored.at(boxes), 0x1p-24, 1);
    flags = about.at("crowd_flags_masks").get<std::vector<uint8_t>>();
    if (!crowds) std::ranges::fill(flags, uint8_t{0});
    const std::string name = fmt::format("iou.masks{}", ending);
    compare(result, name, at::tensor(image::mask_ious(masks, masks, flags), at::kDouble),
            stored.at(name), 0x1p-24, 1);
  }
}

void runs(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.path());
  const CocoJson about = read_json(entry.folder / "rle.json");
  for (const auto& [name, tensor] : stored) {
    static const std::regex known(R"(boxes_[ab]|iou\.(boxes|masks)(_crowd)?|(mask|polygon)\.\d+)");
    if (!std::regex_match(name, known))
      add_fault(result, name + " is stored, but this case does not know the name");
  }
  for (size_t i = 0; i < about.at("masks").size(); ++i) {
    const std::string name = fmt::format("mask.{}", i);
    const CocoJson& one = about.at("masks")[i];
    const image::RunLengths mask = runs_of(stored.at(name).contiguous());
    compare_text(result, name, mask, one.at("counts"));
    compare_exactly(result, name, bytes_of_mask(mask), stored.at(name));
  }
  const CocoJson& polygons = about.at("polygons");
  for (size_t i = 0; i < polygons.at("items").size(); ++i) {
    const std::string name = fmt::format("polygon.{}", i + 1);
    const CocoJson& one = polygons.at("items")[i];
    const int64_t rows = polygons.at("size").at(0), cols = polygons.at("size").at(1);
    for (size_t part = 0; part < one.at("polygons").size(); ++part) {
      const auto xy = one.at("polygons")[part].get<std::vector<double>>();
      compare_text(result, fmt::format("{}, part {}", name, part),
                   image::raster_polygon(xy, rows, cols), one.at("each")[part]);
    }
    const image::RunLengths mask = test::coco_mask(one.at("polygons"), rows, cols);
    compare_text(result, name, mask, one.at("counts"));
    compare_exactly(result, name, bytes_of_mask(mask), stored.at(name));
  }
  overlaps(result, stored, about);
}

// The comparison of each file. Files with nullptr have no case of their own: other cases read them,
// or, for detection's rle.json, tests/image compares them.
using Compare = void (*)(CaseResult&, const Entry&);
const std::map<std::string, Compare>& coco_files() {
  static const std::map<std::string, Compare> files{
      {"detection/rle.json", nullptr},
      {"detection/eval_micro.json", micro},
      {"detection/eval_synthetic.gt.json", nullptr},
      {"detection/eval_synthetic.dt.json", nullptr},
      {"detection/eval_synthetic.expected.json", synthetic},
      {"detection/eval_coco_sample.dt.json", nullptr},
      {"detection/eval_coco_sample.expected.json", real_sample},
      {"eval_coco/gt.json", nullptr},
      {"eval_coco/detections_bbox.json", nullptr},
      {"eval_coco/detections_segm.json", nullptr},
      {"eval_coco/expected.json", figures},
      {"eval_coco/arrays.safetensors", curves},
      {"eval_coco/matches_bbox.json", matches},
      {"eval_coco/matches_segm.json", matches},
      {"eval_rle/rle.json", nullptr},
      {"eval_rle/tensors.safetensors", runs}};
  return files;
}

std::string place_in_set(const Entry& entry) {
  return entry.folder.filename().string() + "/" + entry.file;
}

}  // namespace

bool is_of_coco(const Entry& entry) { return coco_files().contains(place_in_set(entry)); }

std::vector<CaseResult> coco_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  const Compare compare_file = coco_files().at(place_in_set(entry));
  if (compare_file == nullptr) return results;
  add_case(results, request, place_in_set(entry),
           [&](CaseResult& result) { compare_file(result, entry); });
  return results;
}

}  // namespace fcm::parity
