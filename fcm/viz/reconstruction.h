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
#include "fcm/viz/feature_image.h"
#include "fcm/viz/sheet.h"

namespace fcm::viz {

inline constexpr uint8_t kHiddenGrey = 128;

// The image with its hidden patches filled with grey. hidden_L is 0 for visible patches. Here and
// below the image's sides must be multiples of `side` (std::logic_error otherwise).
image::Image grey_out(const image::Image& image, std::span<const uint8_t> hidden_L, int64_t side,
                      uint8_t grey = kHiddenGrey);

// The reconstruction in hidden patches, the original in visible ones.
image::Image paste_visible(const image::Image& original, const image::Image& reconstruction,
                           std::span<const uint8_t> hidden_L, int64_t side);

// The pixel normalisation: model value = (byte / 255 - mean) / std, per channel.
struct PixelScale {
  std::vector<float> mean;
  std::vector<float> stddev;
};

// From an image to [L, D] values in the model's scale, and back. The way back rounds and clamps,
// and shows non-finite values as black.
std::vector<float> patches_from_image(const image::Image& image, int64_t side,
                                      const PixelScale& scale);
image::Image image_from_patches(std::span<const float> values_LD, int64_t rows, int64_t cols,
                                int64_t channels, int64_t side, const PixelScale& scale);

// Mean and std of each patch, as the normalised-pixel target uses them: over all D values, std =
// sqrt(variance + epsilon) with the unbiased variance (divisor D - 1).
struct PatchStatistics {
  std::vector<float> mean_L;
  std::vector<float> stddev_L;
};
PatchStatistics patch_statistics(std::span<const float> values_LD, int64_t patches,
                                 double epsilon = 1e-6);

// Undoes the normalisation of patches in place: value * std + mean. The statistics of hidden
// patches come from the original, so the result shows more than the model knows;
// kBorrowedStatistics says so wherever it is shown.
void denormalise(std::span<float> values_LD, const PatchStatistics& statistics);
inline constexpr const char* kBorrowedStatistics = "patch mean and contrast from the original";

// Every patch averaged over the views in which it was hidden. predicted_L is 0, and the values are
// zero, for a patch hidden in no view.
struct MergedViews {
  std::vector<float> values_LD;
  std::vector<uint8_t> predicted_L;
};
MergedViews merge_views(std::span<const float> predictions_GLD, std::span<const uint8_t> hidden_GL,
                        int64_t views, int64_t patches);

struct Reconstruction {
  image::Image original;  // the model's input
  int64_t side = 16;
  int64_t views = 1;                       // 0: pixels are not a target and have no predictions
  std::span<const float> predictions_GLD;  // read only where hidden_GL is not 0
  std::span<const uint8_t> hidden_GL;
  bool normalised_patches = true;  // the target was normalised per patch
  double variance_epsilon = 1e-6;  // of that normalisation
  PixelScale scale;
  std::vector<FeatureTiles> features = {};  // of feature targets
};

// One row of the sheet: the original; for each view its visible patches and its reconstruction
// (with the original's visible patches); with several views also the reconstructions merged; then
// two tiles per feature target.
SheetRow reconstruction_row(const Reconstruction& input);

// The columns of such rows.
std::vector<SheetColumn> reconstruction_columns(int64_t views);

// The whole sheet. All rows need the same number of views and features; `rows` must not be empty.
image::Image reconstruction_sheet(const std::vector<Reconstruction>& rows, const std::string& title,
                                  int64_t scale = 0);

}  // namespace fcm::viz
