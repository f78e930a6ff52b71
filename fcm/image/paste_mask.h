// From the square of probabilities that a network gives for an object to the object's mask in its
// picture.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "fcm/image/run_lengths.h"

namespace fcm::image {

// probability [side, side], row by row, spread over the box x0, y0, x1, y1 (pixels of the picture:
// pixel i covers [i, i + 1)). A pixel of the picture of rows x cols belongs to the mask if the
// value at its centre, between four probabilities and zeros around them, is `threshold` or more:
// the column of the square is (x + .5 - x0) / (x1 - x0) * side - .5, in float32. Empty where the
// box has no positive sides or is not finite. threshold: above 0. Work: the columns of the box
// times `side`, and the pixels near the outline. Error(kData) for rows and cols as `empty_mask`.
// Source: detectron2 layers/mask_ops.py, paste_masks_in_image.
RunLengths paste_mask(std::span<const float> probability_SS, int64_t side,
                      const std::array<float, 4>& box, int64_t rows, int64_t cols,
                      double threshold = 0.5);

}  // namespace fcm::image
