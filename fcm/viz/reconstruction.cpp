#include "fcm/viz/reconstruction.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"

namespace fcm::viz {

namespace {

void check_image(const image::Image& image, int64_t side) {
  require(side >= 1 && image.rows % side == 0 && image.cols % side == 0,
          "an image of {} x {} pixels does not divide into patches of {} x {}", image.rows,
          image.cols, side, side);
  require(static_cast<int64_t>(image.pixels.size()) == image.rows * image.cols * image.channels,
          "expected one byte per value of an image of {} x {} x {}, got {} bytes", image.rows,
          image.cols, image.channels, image.pixels.size());
}

void check_mask(const image::Image& image, std::span<const uint8_t> hidden_L, int64_t side) {
  check_image(image, side);
  const int64_t patches = (image.rows / side) * (image.cols / side);
  require(static_cast<int64_t>(hidden_L.size()) == patches,
          "expected a mask entry for each of {} patches, got {}", patches, hidden_L.size());
}

// Calls visit(patch, index in the patch's D values, index in the image) for every value.
template <class Visit>
void for_each_value(int64_t rows, int64_t cols, int64_t channels, int64_t side, Visit visit) {
  size_t at = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      const int64_t patch = row / side * (cols / side) + col / side;
      for (int64_t channel = 0; channel < channels; ++channel) {
        const int64_t place = (row % side * side + col % side) * channels + channel;
        visit(static_cast<size_t>(patch), static_cast<size_t>(place), at++);
      }
    }
  }
}

void check_scale(const PixelScale& scale, int64_t channels) {
  require(static_cast<int64_t>(scale.mean.size()) == channels &&
              static_cast<int64_t>(scale.stddev.size()) == channels,
          "expected mean and std of {} channels, got {} means and {} stds", channels,
          scale.mean.size(), scale.stddev.size());
}

}  // namespace

image::Image grey_out(const image::Image& image, std::span<const uint8_t> hidden_L, int64_t side,
                      uint8_t grey) {
  check_mask(image, hidden_L, side);
  image::Image out = image;
  for_each_value(image.rows, image.cols, image.channels, side,
                 [&](size_t patch, size_t, size_t at) {
                   if (hidden_L[patch]) out.pixels[at] = grey;
                 });
  return out;
}

image::Image paste_visible(const image::Image& original, const image::Image& reconstruction,
                           std::span<const uint8_t> hidden_L, int64_t side) {
  check_mask(original, hidden_L, side);
  check_image(reconstruction, side);
  require(original.rows == reconstruction.rows && original.cols == reconstruction.cols &&
              original.channels == reconstruction.channels,
          "got a reconstruction of {} x {} x {}, expected the original's {} x {} x {}",
          reconstruction.rows, reconstruction.cols, reconstruction.channels, original.rows,
          original.cols, original.channels);
  image::Image out = reconstruction;
  for_each_value(original.rows, original.cols, original.channels, side,
                 [&](size_t patch, size_t, size_t at) {
                   if (!hidden_L[patch]) out.pixels[at] = original.pixels[at];
                 });
  return out;
}

std::vector<float> patches_from_image(const image::Image& image, int64_t side,
                                      const PixelScale& scale) {
  check_image(image, side);
  check_scale(scale, image.channels);
  const auto channels = static_cast<size_t>(image.channels);
  const size_t values = static_cast<size_t>(side * side) * channels;
  std::vector<float> out(image.pixels.size());
  for_each_value(
      image.rows, image.cols, image.channels, side, [&](size_t patch, size_t place, size_t at) {
        const size_t channel = at % channels;
        const float unit = static_cast<float>(image.pixels[at]) / 255.0f;
        out[patch * values + place] = (unit - scale.mean[channel]) / scale.stddev[channel];
      });
  return out;
}

image::Image image_from_patches(std::span<const float> values_LD, int64_t rows, int64_t cols,
                                int64_t channels, int64_t side, const PixelScale& scale) {
  image::Image out{rows, cols, channels, std::vector<uint8_t>(values_LD.size())};
  check_image(out, side);
  check_scale(scale, channels);
  const auto width = static_cast<size_t>(side * side * channels);
  for_each_value(rows, cols, channels, side, [&](size_t patch, size_t place, size_t at) {
    const size_t channel = at % static_cast<size_t>(channels);
    const float unit =
        values_LD[patch * width + place] * scale.stddev[channel] + scale.mean[channel];
    const float byte = std::isfinite(unit) ? std::clamp(unit * 255.0f, 0.0f, 255.0f) : 0.0f;
    out.pixels[at] = static_cast<uint8_t>(std::lround(byte));
  });
  return out;
}

PatchStatistics patch_statistics(std::span<const float> values_LD, int64_t patches,
                                 double epsilon) {
  require(patches >= 1 && values_LD.size() % static_cast<size_t>(patches) == 0,
          "{} values do not divide into {} patches", values_LD.size(), patches);
  const size_t width = values_LD.size() / static_cast<size_t>(patches);
  require(width >= 2, "a patch of {} values has no std, expected 2 or more", width);
  PatchStatistics out;
  for (size_t start = 0; start < values_LD.size(); start += width) {
    const auto patch = values_LD.subspan(start, width);
    double sum = 0;
    for (const float value : patch) sum += value;
    const double mean = sum / static_cast<double>(width);
    double squares = 0;
    for (const float value : patch) squares += (value - mean) * (value - mean);
    out.mean_L.push_back(static_cast<float>(mean));
    out.stddev_L.push_back(
        static_cast<float>(std::sqrt(squares / static_cast<double>(width - 1) + epsilon)));
  }
  return out;
}

void denormalise(std::span<float> values_LD, const PatchStatistics& statistics) {
  const size_t patches = statistics.mean_L.size();
  require(patches >= 1 && statistics.stddev_L.size() == patches && values_LD.size() % patches == 0,
          "{} values do not divide into {} patches with statistics", values_LD.size(), patches);
  const size_t width = values_LD.size() / patches;
  for (size_t at = 0; at < values_LD.size(); ++at) {
    values_LD[at] = values_LD[at] * statistics.stddev_L[at / width] + statistics.mean_L[at / width];
  }
}

MergedViews merge_views(std::span<const float> predictions_GLD, std::span<const uint8_t> hidden_GL,
                        int64_t views, int64_t patches) {
  const auto entries = static_cast<size_t>(views * patches);
  require(entries >= 1 && hidden_GL.size() == entries && predictions_GLD.size() % entries == 0,
          "expected mask and predictions for {} views of {} patches, got {} entries and {} values",
          views, patches, hidden_GL.size(), predictions_GLD.size());
  const size_t width = predictions_GLD.size() / entries;
  const auto count = static_cast<size_t>(patches);
  MergedViews out{std::vector<float>(count * width), std::vector<uint8_t>(count)};
  for (size_t patch = 0; patch < count; ++patch) {
    std::vector<double> sum(width);
    double guesses = 0;
    for (size_t entry = patch; entry < entries; entry += count) {
      if (!hidden_GL[entry]) continue;
      guesses += 1;
      for (size_t d = 0; d < width; ++d) sum[d] += predictions_GLD[entry * width + d];
    }
    if (guesses == 0) continue;
    out.predicted_L[patch] = 1;
    for (size_t d = 0; d < width; ++d) {
      out.values_LD[patch * width + d] = static_cast<float>(sum[d] / guesses);
    }
  }
  return out;
}

namespace {

// The original, the pixel reconstruction of each view, and all views merged.
std::vector<image::Image> pixel_tiles(const Reconstruction& input) {
  const image::Image& original = input.original;
  if (input.views == 0) return {original};
  const int64_t patches = (original.rows / input.side) * (original.cols / input.side);
  const size_t values = original.pixels.size();
  require(input.predictions_GLD.size() == values * static_cast<size_t>(input.views),
          "expected predictions for {} views of {} values, got {}", input.views, values,
          input.predictions_GLD.size());
  require(static_cast<int64_t>(input.hidden_GL.size()) == input.views * patches,
          "expected a mask for {} views of {} patches, got {} entries", input.views, patches,
          input.hidden_GL.size());
  const PatchStatistics statistics = patch_statistics(
      patches_from_image(original, input.side, input.scale), patches, input.variance_epsilon);
  const auto show = [&](std::vector<float> guess, std::span<const uint8_t> hidden_L) {
    if (input.normalised_patches) denormalise(guess, statistics);
    const image::Image image = image_from_patches(guess, original.rows, original.cols,
                                                  original.channels, input.side, input.scale);
    return paste_visible(original, image, hidden_L, input.side);
  };

  std::vector<image::Image> tiles{original};
  for (int64_t view = 0; view < input.views; ++view) {
    const auto hidden_L =
        input.hidden_GL.subspan(static_cast<size_t>(view * patches), static_cast<size_t>(patches));
    const auto guess = input.predictions_GLD.subspan(static_cast<size_t>(view) * values, values);
    tiles.push_back(grey_out(original, hidden_L, input.side));
    tiles.push_back(show({guess.begin(), guess.end()}, hidden_L));
  }
  if (input.views > 1) {
    const MergedViews merged =
        merge_views(input.predictions_GLD, input.hidden_GL, input.views, patches);
    tiles.push_back(show(merged.values_LD, merged.predicted_L));
  }
  return tiles;
}

}  // namespace

SheetRow reconstruction_row(const Reconstruction& input) {
  check_image(input.original, input.side);
  SheetRow row{pixel_tiles(input)};
  for (const FeatureTiles& feature : input.features) {
    row.tiles.push_back(feature.wanted);
    row.tiles.push_back(feature.predicted);
  }
  return row;
}

std::vector<SheetColumn> reconstruction_columns(int64_t views) {
  std::vector<SheetColumn> columns{{"original", false}};
  for (int64_t view = 1; view <= views; ++view) {
    const std::string name = views == 1 ? "" : fmt::format("view {}: ", view);
    columns.push_back({name + "visible", true});
    columns.push_back({name + "reconstruction", false});
  }
  if (views > 1) columns.push_back({"all views merged", true});
  return columns;
}

namespace {

constexpr const char* kSeen =
    "Grey patches are hidden from the view; the model reconstructs them from the visible patches.";
constexpr const char* kComponents =
    " Features: the first three principal components of the target of each image, as red, green "
    "and blue; reconstructions of all views merged.";

}  // namespace

image::Image reconstruction_sheet(const std::vector<Reconstruction>& rows, const std::string& title,
                                  int64_t scale) {
  require(!rows.empty(), "expected at least one row for a reconstruction sheet");
  Sheet sheet{title, reconstruction_columns(rows.front().views), {}, {}, scale};
  bool borrowed = false;
  for (const FeatureTiles& feature : rows.front().features) {
    sheet.columns.push_back({feature.name + ": target", true});
    sheet.columns.push_back({feature.name + ": reconstruction", false});
  }
  for (const Reconstruction& row : rows) {
    require(
        row.views == rows.front().views && row.features.size() == rows.front().features.size(),
        "expected rows with equal numbers of views and targets, got {} and {} views, {} and {} targets",
        rows.front().views, row.views, rows.front().features.size(), row.features.size());
    borrowed = borrowed || (row.views > 0 && row.normalised_patches);
    sheet.rows.push_back(reconstruction_row(row));
  }
  if (rows.front().views > 0) sheet.note = kSeen;
  if (borrowed) sheet.note += fmt::format(" Reconstructed patches: {}.", kBorrowedStatistics);
  if (!rows.front().features.empty()) sheet.note += kComponents;
  return make_sheet(sheet);
}

}  // namespace fcm::viz
