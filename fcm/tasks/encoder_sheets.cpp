#include "fcm/tasks/encoder_sheets.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "fcm/base/error.h"
#include "fcm/eval/attention.h"
#include "fcm/tasks/reconstruct.h"
#include "fcm/viz/attention_image.h"
#include "fcm/viz/canvas.h"
#include "fcm/viz/feature_image.h"
#include "fcm/viz/sheet.h"

namespace fcm::tasks {
namespace {

constexpr double kLeftOut = 0.02;  // fraction of the patches clipped at either end of a component
constexpr int64_t kTile = 224;     // approximate longer side in pixels of an enlarged image

std::span<const float> floats_of(const at::Tensor& values) {
  return {values.const_data_ptr<float>(), static_cast<size_t>(values.numel())};
}

std::string title_of(const recipe::Recipe& recipe, int64_t step) {
  return fmt::format("{}, step {}", recipe.row.name, step);
}

// The integer factor by which a small image is enlarged before anything is drawn on it.
int64_t enlargement_of(const image::Image& image) {
  const int64_t side = std::max(image.rows, image.cols);
  return std::max<int64_t>(1, (kTile + side / 2) / side);
}

// Images per row of a sheet, chosen such that the sheet is not much taller than wide.
int64_t images_a_row(int64_t images) { return images <= 3 ? 1 : images <= 8 ? 2 : 3; }

void refuse_patch_outside(const PatchPlace& patch, const masks::Grid& grid) {
  if (patch.row < grid.rows && patch.col < grid.cols) return;
  fail(ExitCode::kUsage,
       "--patch {},{} is outside the {} x {} patches of an image; rows and columns count from "
       "0, so the last one is {},{}",
       patch.row, patch.col, grid.rows, grid.cols, grid.rows - 1, grid.cols - 1);
}

std::vector<PatchPlace> default_patches(const masks::Grid& grid) {
  return {{grid.rows / 2, grid.cols / 2},
          {grid.rows / 4, grid.cols / 4},
          {grid.rows * 3 / 4, grid.cols * 3 / 4}};
}

// The sheet's row of one image. The rows of attention_TT are queries.
viz::SheetRow attention_row(const image::Image& seen, const at::Tensor& attention_TT,
                            const std::vector<PatchPlace>& patches, const masks::Grid& grid) {
  const image::Image image = viz::enlarge(seen, enlargement_of(seen));
  const int64_t side = image.rows / grid.rows;
  const int64_t before = attention_TT.size(0) - grid.patches();  // 1: a class token
  const at::Tensor of_patches_TL = attention_TT.narrow(1, before, grid.patches()).contiguous();
  const auto draw = [&](const at::Tensor& weights_L) {
    return viz::attention_image(image, floats_of(weights_L.contiguous()), side);
  };
  viz::SheetRow row{{image, draw(before > 0 ? of_patches_TL[0] : of_patches_TL.mean(0))}};
  for (const auto& [patch_row, patch_col] : patches) {
    row.tiles.push_back(draw(of_patches_TL[before + patch_row * grid.cols + patch_col]));
    viz::mark_patch(row.tiles.back(), patch_row, patch_col, side);
  }
  return row;
}

}  // namespace

image::Image pca_sheet(const TrainedEncoder& encoder, const std::vector<NamedImage>& images) {
  std::vector<image::Image> seen;
  std::vector<at::Tensor> tokens;
  for (const NamedImage& one : images) {
    seen.push_back(fit_to_recipe(one.image, encoder.recipe));
    tokens.push_back(encoder.tokens(seen.back()));
  }
  const at::Tensor all_NC = at::cat(tokens);  // of all patches of all images
  viz::Components components = viz::principal_components(floats_of(all_NC), all_NC.size(0));
  viz::set_quantile_range(components, floats_of(all_NC), kLeftOut);

  const int64_t a_row = std::min(std::ssize(images), images_a_row(std::ssize(images)));
  viz::Sheet sheet;
  sheet.title = title_of(encoder.recipe, encoder.step);
  for (int64_t i = 0; i < a_row; ++i) {
    sheet.columns.push_back({"original", i > 0});
    sheet.columns.push_back({"features as colours"});
  }
  for (size_t i = 0; i < images.size(); ++i) {
    if (i % static_cast<size_t>(a_row) == 0) sheet.rows.emplace_back();
    viz::SheetRow& row = sheet.rows.back();
    const int64_t factor = enlargement_of(seen[i]);
    row.tiles.push_back(viz::enlarge(seen[i], factor));
    row.tiles.push_back(viz::components_image(components, floats_of(tokens[i].contiguous()), {},
                                              encoder.grid.rows, encoder.grid.cols,
                                              encoder.side * factor));
    row.labels.push_back({images[i].name});
    row.labels.emplace_back();
  }
  sheet.note =
      "Each square is a patch; its colour shows its token: the first three "
      "principal components of the tokens of all these images together, as red, green and blue. "
      "Patches of similar colour have similar tokens, in different images too.";
  return make_sheet(sheet);
}

image::Image attention_sheet(const TrainedModel& trained, const std::vector<NamedImage>& images,
                             std::vector<PatchPlace> patches) {
  const masks::Grid grid = trained.model->grid();
  for (const PatchPlace& patch : patches) refuse_patch_outside(patch, grid);
  if (patches.empty()) patches = default_patches(grid);
  viz::Sheet sheet;
  sheet.title = title_of(trained.recipe, trained.step);
  sheet.columns = {{"original"}};
  for (const NamedImage& one : images) {
    const image::Image image = fit_to_recipe(one.image, trained.recipe);
    const std::vector<int64_t> shape{1, image.rows, image.cols, image.channels};
    const at::Tensor pixels =
        at::from_blob(const_cast<uint8_t*>(image.pixels.data()), shape, at::kByte);
    const at::Tensor attention_TT = eval::last_attention(*trained.model, trained.recipe, pixels)[0];
    if (sheet.columns.size() == 1) {
      const bool has_class_token = attention_TT.size(0) > grid.patches();
      sheet.columns.push_back({has_class_token ? "class token" : "mean of all patches", true});
      for (const auto& [row, col] : patches) {
        sheet.columns.push_back({fmt::format("patch {},{}", row, col), sheet.columns.size() == 2});
      }
    }
    sheet.rows.push_back(attention_row(image, attention_TT, patches, grid));
    sheet.rows.back().labels = {{one.name}};
  }
  sheet.note = fmt::format(
      "Attention of the last transformer block ({}), as the mean over its heads: "
      "black is no attention, pale yellow the highest of the image. Each query patch has a white "
      "frame; its row and column are counted in patches from 0.",
      eval::name_of_last_block(trained.recipe));
  return make_sheet(sheet);
}

}  // namespace fcm::tasks
