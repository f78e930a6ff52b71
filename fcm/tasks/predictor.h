// What a trained network makes of one image, as `predict` writes it: one kind for each task.
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
#include "fcm/tasks/picture_set.h"

namespace fcm::tasks {

// Of all kinds: what may stand behind an image's name in a folder of answers.
inline constexpr const char* kDrawnEnding = ".png";    // the answer drawn into the image
inline constexpr const char* kMapEnding = ".map.png";  // a segmenter's map alone

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual const recipe::Recipe& recipe() const = 0;
  // Whether images are turned as EXIF says (image/orientation.h): as they were in training.
  virtual bool turns_upright() const { return false; }
  // What there is to say once all images were answered; empty: nothing.
  virtual std::string remark() const { return {}; }
  // Writes `name` with those endings into `out`; returns the members of the image's entry in the
  // list of results.
  virtual nlohmann::json answer(const image::Image& picture, const std::filesystem::path& out,
                                const std::string& name) = 0;
};

// Of the network in a checkpoint, whichever it is; `set` changes its recipe. Throws
// Error(kCheckpoint) where there is none that answers.
std::unique_ptr<Predictor> make_predictor(checkpoint::Checkpoint checkpoint,
                                          const std::vector<std::string>& set, Reporter& reporter,
                                          at::Device device);

// One name a class: those of what the network was trained on, then "class 7" where they are fewer.
std::vector<std::string> names_of_answers(const std::optional<PictureSet>& trained_on,
                                          int64_t classes);

}  // namespace fcm::tasks
