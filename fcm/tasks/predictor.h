// Predicts one image with a trained network and writes the result, for `predict`. There is one
// class per task.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/image/image.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/image_set.h"

namespace fcm::tasks {

// File endings of predictions, which follow the image's base name.
inline constexpr const char* kDrawnEnding = ".png";    // the prediction drawn into the image
inline constexpr const char* kMapEnding = ".map.png";  // a segmenter's class map

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual const recipe::Recipe& recipe() const = 0;
  // Whether images are rotated as EXIF says (image/orientation.h), as in training.
  virtual bool applies_orientation() const { return false; }
  // A remark on all predictions, for the end of the command; empty: none.
  virtual std::string remark() const { return {}; }
  // Writes the files `name` + ending into `out`; returns the members of the image's entry in
  // results.json.
  virtual nlohmann::json answer(const image::Image& image, const std::filesystem::path& out,
                                const std::string& name) = 0;
};

// The predictor for a checkpoint of any task; `set` changes its recipe. Throws Error(kCheckpoint)
// if the network cannot predict.
std::unique_ptr<Predictor> make_predictor(checkpoint::Checkpoint checkpoint,
                                          const std::vector<std::string>& set, Reporter& reporter,
                                          at::Device device);

// One name per class: the names of the training set; classes without a name get "class 7".
std::vector<std::string> class_names_of(const std::optional<ImageSet>& trained_on, int64_t classes);

}  // namespace fcm::tasks
