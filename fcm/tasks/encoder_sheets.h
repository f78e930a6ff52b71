// Sheets that show an encoder's tokens as colours, and its attention.
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

// Shows the first three principal components of the tokens of all images together as red, green and
// blue, next to each image. 2 % of the patches at either end of a component are clipped.
image::Image pca_sheet(const TrainedEncoder& encoder, const std::vector<NamedImage>& images);

// Shows the attention of the last block (eval/attention.h) in each image: of the class token (in an
// encoder without one, the mean over all patches), and of the query patches `patches`; if there are
// none, of the middle patch and two on the diagonal. Throws Error(kUsage) for a patch outside the
// grid, and as eval::last_attention.
image::Image attention_sheet(const TrainedModel& trained, const std::vector<NamedImage>& images,
                             std::vector<PatchPlace> patches);

}  // namespace fcm::tasks
