// From predictions of patches to the tiles of a reconstruction sheet. Plain arrays, no tensors.
//
// Letters (fcm/base/shapes.h): G views, L patches in raster order of the image (not in ViewPlan
// order), D values of a patch: side x side x channels, ordered row, column, channel.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/feature_picture.h"
#include "fcm/viz/sheet.h"

namespace fcm::viz {

inline constexpr uint8_t kHiddenGrey = 128;

// The image with its hidden patches filled with one grey. hidden_L is 0 where a patch is visible.
// Here and below the sides of the image must be multiples of `side` (std::logic_error otherwise).
image::Image grey_out(const image::Image& picture, std::span<const uint8_t> hidden_L, int64_t side,
                      uint8_t grey = kHiddenGrey);

// The reconstruction where patches are hidden, the original where they are visible.
image::Image paste_visible(const image::Image& original, const image::Image& reconstruction,
                           std::span<const uint8_t> hidden_L, int64_t side);

// How pixels became the numbers the model works on: (byte / 255 - mean) / deviation, per channel.
struct PixelScale {
  std::vector<float> mean;
  std::vector<float> deviation;
};

// [L, D] numbers of an image in the model's scale, and back; the way back rounds and clamps, and
// shows a value that is not finite as black.
std::vector<float> patches_from_picture(const image::Image& picture, int64_t side,
                                        const PixelScale& scale);
image::Image picture_from_patches(std::span<const float> values_LD, int64_t rows, int64_t cols,
                                  int64_t channels, int64_t side, const PixelScale& scale);

// Mean and deviation of each patch, as the normalised-pixel target takes them: over all D values,
// deviation = sqrt(variance + epsilon) with the variance over D - 1.
struct PatchStatistics {
  std::vector<float> mean_L;
  std::vector<float> deviation_L;
};
PatchStatistics patch_statistics(std::span<const float> values_LD, int64_t patches,
                                 double epsilon = 1e-6);

// Undoes the normalisation of patches in place: value * deviation + mean. The statistics of a
// patch nobody showed to the model come from the original, so an image made with them shows more
// than the model knows; kBorrowedStatistics says so wherever it is shown.
void denormalise(std::span<float> values_LD, const PatchStatistics& statistics);
inline constexpr const char* kBorrowedStatistics = "patch mean and contrast from the original";

// Every patch averaged over the views that had to guess it. guessed_L is 0, and the values are
// zero, where no view did.
struct MergedViews {
  std::vector<float> values_LD;
  std::vector<uint8_t> guessed_L;
};
MergedViews merge_views(std::span<const float> predictions_GLD, std::span<const uint8_t> hidden_GL,
                        int64_t views, int64_t patches);

struct Reconstruction {
  image::Image original;  // the pixels the model was given
  int64_t side = 16;
  int64_t views = 1;  // 0: pixels were no target, and there are no predictions of them
  std::span<const float> predictions_GLD;  // read only where hidden_GL is not 0
  std::span<const uint8_t> hidden_GL;
  bool normalised_patches = true;  // the target was normalised per patch
  double variance_epsilon = 1e-6;  // of that normalisation
  PixelScale scale;
  std::vector<FeatureTiles> features = {};  // of other targets
};

// One row of the sheet: the original; for each view what it sees and what it makes of it (visible
// patches are the original's); with several views also all guesses merged; then two tiles for each
// feature target.
SheetRow reconstruction_row(const Reconstruction& input);

// The columns of these rows.
std::vector<SheetColumn> reconstruction_columns(int64_t views);

// The whole sheet. All rows need the same number of views and features; `rows` must not be empty.
image::Image reconstruction_sheet(const std::vector<Reconstruction>& rows, const std::string& title,
                                  int64_t scale = 0);

}  // namespace fcm::viz
