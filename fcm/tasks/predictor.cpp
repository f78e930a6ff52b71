#include "fcm/tasks/predictor.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "fcm/eval/coco.h"
#include "fcm/image/colour.h"
#include "fcm/image/run_lengths.h"
#include "fcm/interop/downstream.h"
#include "fcm/loader/frame_testing.h"
#include "fcm/loader/scene_testing.h"
#include "fcm/loader/transform.h"
#include "fcm/tasks/detection_sheets.h"
#include "fcm/tasks/segmentation_sheets.h"
#include "fcm/tasks/trained_classifier.h"
#include "fcm/tasks/trained_detector.h"
#include "fcm/tasks/trained_segmenter.h"
#include "fcm/viz/class_map.h"
#include "fcm/viz/labels.h"

namespace fcm::tasks {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// --- classifiers: the labels with the highest scores ---

class ClassifierPredictor final : public Predictor {
 public:
  explicit ClassifierPredictor(TrainedClassifier trained)
      : trained_(std::move(trained)),
        names_(class_names_of(trained_.trained_on, trained_.classes)) {}

  const recipe::Recipe& recipe() const override { return trained_.recipe; }

  json answer(const image::Image& image, const fs::path& out, const std::string& name) override {
    const at::Tensor scores_K = trained_.predict(batch_of(image)).softmax(1)[0].contiguous();
    const auto [best, order] = scores_K.topk(std::min(kShown, trained_.classes));
    json labels = json::array();
    std::vector<viz::ShownLabel> shown;
    for (int64_t i = 0; i < best.size(0); ++i) {
      const double score = best[i].item<double>();
      const std::string& label = names_[static_cast<size_t>(order[i].item<int64_t>())];
      labels.push_back({{"class", label}, {"score", score}});
      shown.push_back({label, score});
    }
    const std::string drawn = name + kDrawnEnding;
    image::write_png(out / drawn, viz::labels_under_image(image, shown));
    return {{"picture", drawn}, {"labels", std::move(labels)}};
  }

 private:
  static constexpr int64_t kShown = 5;

  // A batch of one image, preprocessed as in evaluation.
  loader::Batch batch_of(const image::Image& image) const {
    const loader::DataOptions& data = trained_.recipe.data;
    loader::Batch batch;
    batch.batch = batch.global_batch = 1;
    batch.rows = data.image_size[0];
    batch.cols = data.image_size[1];
    batch.channels = data.channels;
    batch.sample_ids = {0};
    batch.pixels_BHWC.resize(static_cast<size_t>(batch.rows * batch.cols * batch.channels));
    loader::crop_for_evaluation(image::with_channels(image, data.channels), data,
                                batch.pixels_BHWC.data(),
                                trained_.recipe.classify().classifier.eval_crop);
    return batch;
  }

  TrainedClassifier trained_;
  std::vector<std::string> names_;
};

// --- segmenters: a class for each pixel ---

// The classes that occur in a map, those with the most pixels first.
json classes_in(const image::Image& map, const std::vector<std::string>& names) {
  std::map<uint8_t, int64_t> pixels;
  for (const uint8_t one : map.pixels) ++pixels[one];
  std::vector<std::pair<uint8_t, int64_t>> sorted(pixels.begin(), pixels.end());
  std::ranges::stable_sort(sorted,
                           [](const auto& a, const auto& b) { return a.second > b.second; });
  json classes = json::array();
  for (const auto& [number, count] : sorted) {
    classes.push_back(
        {{"class", names[number]},
         {"number", number},
         {"share", 100.0 * static_cast<double>(count) / static_cast<double>(map.pixels.size())}});
  }
  return classes;
}

class SegmenterPredictor final : public Predictor {
 public:
  explicit SegmenterPredictor(TrainedSegmenter trained)
      : trained_(std::move(trained)),
        names_(class_names_of(trained_.trained_on, trained_.classes())),
        colours_(class_colours_of(trained_.trained_on, trained_.classes())) {}

  const recipe::Recipe& recipe() const override { return trained_.recipe; }

  json answer(const image::Image& image, const fs::path& out, const std::string& name) override {
    const image::Image resized =
        loader::scene_for_testing(image, trained_.recipe.segment().pipeline);
    const image::Image map = map_image(
        eval::classes_of_scene(trained_.logits, trained_.recipe, resized, image.rows, image.cols));
    const std::string drawn = name + kDrawnEnding, plain = name + kMapEnding;
    image::write_png(out / drawn, viz::map_over_image(image, map, names_, colours_));
    image::write_png(out / plain, map);
    return {{"picture", drawn}, {"map", plain}, {"classes", classes_in(map, names_)}};
  }

 private:
  TrainedSegmenter trained_;
  std::vector<std::string> names_;
  std::vector<viz::Colour> colours_;  // empty: the training data has no colours
};

// --- detectors: objects ---

class DetectorPredictor final : public Predictor {
 public:
  explicit DetectorPredictor(TrainedDetector trained)
      : trained_(std::move(trained)),
        names_(class_names_of(trained_.trained_on, trained_.classes())) {}

  const recipe::Recipe& recipe() const override { return trained_.recipe; }
  bool applies_orientation() const override { return true; }  // as for COCO folders in training

  std::string remark() const override {
    if (best_ >= kDrawnScore) return {};
    return fmt::format("nothing is drawn: no object has a score of {} or more, the best has {:.3f}",
                       kDrawnScore, best_);
  }

  json answer(const image::Image& image, const fs::path& out, const std::string& name) override {
    const loader::TestFrame frame =
        loader::frame_for_testing(image, eval::frame_options(trained_.recipe));
    const std::vector<eval::CocoDetection> found =
        eval::objects_in_frame(trained_.find, frame.frame, frame.image);
    json instances = json::array();
    for (const eval::CocoDetection& one : found) {
      instances.push_back({{"class", names_[static_cast<size_t>(one.category)]},
                           {"score", one.score},
                           {"box", one.box},
                           {"mask",
                            {{"size", {one.mask->rows, one.mask->cols}},
                             {"counts", image::run_lengths_text(*one.mask)}}}});
    }
    if (!found.empty()) best_ = std::max(best_, found[0].score);
    const std::vector<viz::ShownObject> shown = shown_objects(found, names_);
    const std::string drawn = name + kDrawnEnding;
    image::write_png(out / drawn, viz::draw_objects(image, shown));
    return {{"picture", drawn}, {"drawn", shown.size()}, {"instances", std::move(instances)}};
  }

 private:
  TrainedDetector trained_;
  std::vector<std::string> names_;
  double best_ = 0;  // best score of all detections
};

}  // namespace

std::unique_ptr<Predictor> make_predictor(checkpoint::Checkpoint checkpoint,
                                          const std::vector<std::string>& set, Reporter& reporter,
                                          at::Device device) {
  const interop::Downstream kind = interop::downstream_of(checkpoint);
  if (kind == interop::Downstream::kSegmenter) {
    return std::make_unique<SegmenterPredictor>(
        load_segmenter(std::move(checkpoint), set, reporter, device));
  }
  if (kind == interop::Downstream::kDetector) {
    return std::make_unique<DetectorPredictor>(
        load_detector(std::move(checkpoint), set, reporter, device));
  }
  return std::make_unique<ClassifierPredictor>(
      load_classifier(std::move(checkpoint), set, reporter, device));
}

std::vector<std::string> class_names_of(const std::optional<ImageSet>& trained_on,
                                        int64_t classes) {
  return class_names(trained_on ? trained_on->classes : std::vector<std::string>{}, classes);
}

}  // namespace fcm::tasks
