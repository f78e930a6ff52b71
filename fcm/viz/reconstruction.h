// Converts predictions of patches to the tiles of a reconstruction sheet. Plain arrays, no tensors.
//
// Letters (fcm/base/shapes.h): G views; L patches in raster order of the image (not in ViewPlan
// order); D values of a patch, side x side x channels, in the order row, column, channel.
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

// The image with its hidden patches filled with grey. hidden_L is 0 for visible patches. In all
// functions here the image's sides must be multiples of `side` (std::logic_error otherwise).
image::Image grey_out(const image::Image& image, std::span<const uint8_t> hidden_L, int64_t side,
                      uint8_t grey = kHiddenGrey);

// The reconstruction in hidden patches, the original in visible ones.
image::Image paste_visible(const image::Image& original, const image::Image& reconstruction,
                           std::span<const uint8_t> hidden_L, int64_t side);

// The normalisation of pixels, per channel: model value = (byte / 255 - mean) / std.
struct PixelScale {
  std::vector<float> mean;
  std::vector<float> stddev;
};

// Convert an image to [L, D] values in the model's scale, and back. image_from_patches rounds and
// clamps, and shows non-finite values as black.
std::vector<float> patches_from_image(const image::Image& image, int64_t side,
                                      const PixelScale& scale);
image::Image image_from_patches(std::span<const float> values_LD, int64_t rows, int64_t cols,
                                int64_t channels, int64_t side, const PixelScale& scale);

// Mean and std of each patch over all D values, as the target with normalised pixels uses them: std
// = sqrt(variance + epsilon) with the unbiased variance (divisor D - 1).
struct PatchStatistics {
  std::vector<float> mean_L;
  std::vector<float> stddev_L;
};
PatchStatistics patch_statistics(std::span<const float> values_LD, int64_t patches,
                                 double epsilon = 1e-6);

// Undoes the normalisation of patches in place: value * std + mean. The statistics of hidden
// patches come from the original, so the result shows more than the model knows. Sheets with such
// patches have the note kBorrowedStatistics.
void denormalise(std::span<float> values_LD, const PatchStatistics& statistics);
inline constexpr const char* kBorrowedStatistics = "patch mean and contrast from the original";

// The predictions of each patch averaged over the views from which it is hidden. A patch that is
// hidden from no view has predicted_L 0 and zeros as values.
struct MergedViews {
  std::vector<float> values_LD;
  std::vector<uint8_t> predicted_L;
};
MergedViews merge_views(std::span<const float> predictions_GLD, std::span<const uint8_t> hidden_GL,
                        int64_t views, int64_t patches);

struct Reconstruction {
  image::Image original;  // the model's input
  int64_t side = 16;
  int64_t views = 1;                       // 0: pixels are not a target, so have no predictions
  std::span<const float> predictions_GLD;  // read only where hidden_GL is not 0
  std::span<const uint8_t> hidden_GL;
  bool normalised_patches = true;  // the target was normalised per patch
  double variance_epsilon = 1e-6;  // of that normalisation
  PixelScale scale;
  std::vector<FeatureTiles> features = {};  // of feature targets
};

// The tiles of a row: the original; for each view its visible patches and its reconstruction (with
// the original's visible patches); for several views also the merged reconstructions; then two
// tiles per feature target.
SheetRow reconstruction_row(const Reconstruction& input);

// The columns of reconstruction_row without those of feature targets.
std::vector<SheetColumn> reconstruction_columns(int64_t views);

// The whole sheet. `rows` must not be empty and have equal numbers of views and feature targets.
image::Image reconstruction_sheet(const std::vector<Reconstruction>& rows, const std::string& title,
                                  int64_t scale = 0);

}  // namespace fcm::viz
