// Sheets of what an encoder makes of images: its tokens as colours, and where its attention goes.
#pragma once

#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_encoder.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {

// Of any size, with the name that stands under it.
struct NamedPicture {
  std::string name;
  image::Image picture;
};

// The first three principal components of the tokens of all images together, as red, green and
// blue, beside each image. The two hundredths of the patches that lie furthest out at either end
// of a component have its full or no colour.
image::Image pca_sheet(const TrainedEncoder& encoder, const std::vector<NamedPicture>& pictures);

// Attention of the last block (eval/attention.h) of each image: that of the class token, or the
// mean of that of all patches where there is none, and that of the chosen patches; by default of
// the one in the middle and two on the diagonal. Throws Error(kUsage) for a patch that there is
// not, and as eval::last_attention.
image::Image attention_sheet(const TrainedModel& trained, const std::vector<NamedPicture>& pictures,
                             std::vector<PatchPlace> patches);

}  // namespace fcm::tasks
