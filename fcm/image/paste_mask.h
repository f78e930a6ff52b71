// Pastes the square of mask probabilities that a network predicts for an object into the image, as
// run lengths.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "fcm/image/run_lengths.h"

namespace fcm::image {

// probability_SS [side, side], row-major, spans the box x0, y0, x1, y1 (image coordinates: pixel i
// covers [i, i + 1)). A pixel of the rows x cols image belongs to the mask if the bilinear value at
// its centre, with zeros around the square, is at least `threshold` (above 0). Column x samples the
// square at (x + .5 - x0) / (x1 - x0) * side - .5, in float32. The mask is empty if the box has no
// positive sides or is not finite. Cost: the columns of the box times `side`, and the pixels near
// the outline. Refuses rows and cols that `empty_mask` refuses. Source: detectron2
// layers/mask_ops.py, paste_masks_in_image.
RunLengths paste_mask(std::span<const float> probability_SS, int64_t side,
                      const std::array<float, 4>& box, int64_t rows, int64_t cols,
                      double threshold = 0.5);

}  // namespace fcm::image
