// Sheets of an encoder: its tokens as colours, and its attention.
#pragma once

#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_encoder.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {

// An image of any size, with its caption.
struct NamedImage {
  std::string name;
  image::Image image;
};

// The first three principal components of the tokens of all images together, as red, green and
// blue, beside each image. The range of a component excludes 2 % of the patches at either end.
image::Image pca_sheet(const TrainedEncoder& encoder, const std::vector<NamedImage>& images);

// Attention of the last block (eval/attention.h) in each image: of the class token, or without one
// the mean of all patches; and of the chosen patches, by default the middle one and two on the
// diagonal. Throws Error(kUsage) for a patch outside the grid, and like eval::last_attention.
image::Image attention_sheet(const TrainedModel& trained, const std::vector<NamedImage>& images,
                             std::vector<PatchPlace> patches);

}  // namespace fcm::tasks
