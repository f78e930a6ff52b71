#include "fcm/ops/cases.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <numeric>
#include <utility>

#include "fcm/ops/patch_depthwise_conv/op.h"

namespace fcm::ops {
namespace {

struct Shape {
  int64_t batch = 1, rows = 1, cols = 1;  // grid of patches
  int64_t channels = 1;
  Cells cells;
  std::vector<int64_t> views;  // sizes of the kept views; other patches have no slots
  at::ScalarType least_weights = at::kFloat;  // weights are never narrower than this

  int64_t slots() const { return std::accumulate(views.begin(), views.end(), int64_t{0}); }
};

Cells raster_cells(int64_t side) {
  Cells cells{side, std::vector<int64_t>(static_cast<size_t>(side * side))};
  std::iota(cells.raster.begin(), cells.raster.end(), 0);
  return cells;
}

Cells z_order(int64_t stage) { return PatchGeometry{{4, 2, 2}}.cells(stage); }

// Neighbours for one view per entry of shape.views, with patches drawn at random; one view of all
// patches is in raster order.
at::Tensor random_neighbours(const Shape& shape, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const int64_t patches = shape.rows * shape.cols;
  at::Tensor neighbours = at::full({shape.batch, shape.slots(), 9}, -1, at::kInt);
  auto* entry = neighbours.mutable_data_ptr<int32_t>();
  for (int64_t image = 0; image < shape.batch; ++image) {
    const at::Tensor order = shape.views.size() > 1 || shape.slots() < patches
                                 ? at::randperm(patches, generator)
                                 : at::arange(patches);
    const auto* patch_of_slot = order.const_data_ptr<int64_t>();
    std::vector<int64_t> slot_of_patch(static_cast<size_t>(patches));
    for (int64_t slot = 0; slot < patches; ++slot) {
      slot_of_patch[static_cast<size_t>(patch_of_slot[slot])] = slot;
    }
    int64_t first = 0;
    for (const int64_t size : shape.views) {
      for (int64_t slot = first; slot < first + size; ++slot) {
        for (int64_t k = 0; k < 9; ++k, ++entry) {
          const int64_t row = patch_of_slot[slot] / shape.cols + k / 3 - 1;
          const int64_t col = patch_of_slot[slot] % shape.cols + k % 3 - 1;
          if (row < 0 || row >= shape.rows || col < 0 || col >= shape.cols) continue;
          const int64_t near = slot_of_patch[static_cast<size_t>(row * shape.cols + col)];
          if (near >= first && near < first + size) *entry = static_cast<int32_t>(near);
        }
      }
      first += size;
    }
  }
  return neighbours;
}

// Number of products of a cell and a tap per channel that contribute: those inside the image and
// the view.
double live_products(const Shape& shape, const at::Tensor& neighbours) {
  // Per direction: pairs of a cell and a tap that end in the previous, the same and the next patch.
  const int64_t side = shape.cells.side;
  std::vector<double> pairs(3);
  for (int64_t cell = 0; cell < side; ++cell) {
    for (int64_t tap = -2; tap <= 2; ++tap) {
      ++pairs[static_cast<size_t>((cell + tap + side) / side)];
    }
  }
  const at::Tensor seen = (neighbours >= 0).sum(at::IntArrayRef{0, 1});
  double products = 0;
  for (int64_t k = 0; k < 9; ++k) {
    products += static_cast<double>(seen[k].item<int64_t>()) * pairs[static_cast<size_t>(k / 3)] *
                pairs[static_cast<size_t>(k % 3)];
  }
  return products;
}

OpCase make(std::string name, Shape shape) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [shape](at::ScalarType dtype, uint64_t seed) {
    const at::ScalarType weights = c10::promoteTypes(dtype, shape.least_weights);
    return OpCase::Inputs{
        case_values({shape.batch, shape.slots(), shape.cells.count(), shape.channels}, dtype, seed),
        case_values({25, shape.channels}, weights, seed + 1, 0.2),
        case_values({shape.channels}, weights, seed + 2), random_neighbours(shape, seed + 3)};
  };
  result.run = [shape](const OpCase::Inputs& in) {
    return patch_depthwise_conv(in[0], in[1], in[2], in[3], shape.cells);
  };
  result.reference = [shape](const OpCase::Inputs& in) {
    return patch_depthwise_conv_reference(in[0], in[1], in[2], in[3], shape.cells);
  };
  const auto channels = static_cast<double>(shape.channels);
  result.forward_flops = 2 * channels * live_products(shape, random_neighbours(shape, 3));
  const int64_t cells = shape.batch * shape.slots() * shape.cells.count();
  result.forward_elements = channels * (2 * static_cast<double>(cells) + 26);
  return result;
}

}  // namespace

OpCases patch_depthwise_conv_cases() {
  const std::vector<int64_t> quarters = {49, 49, 49, 49};
  const Cells sixteen = z_order(0), four = z_order(1);
  OpCases all{"patch_depthwise_conv", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("base_stage1", {8, 14, 14, 256, sixteen, quarters})));
  cases.push_back(timed(make("base_stage2", {8, 14, 14, 384, four, quarters})));
  cases.push_back(timed(make("finetune_stage1", {8, 14, 14, 256, sixteen, {196}})));
  cases.push_back(timed(make("finetune_stage2", {8, 14, 14, 384, four, {196}})));
  cases.push_back(timed(make("demo_stage1", {64, 7, 7, 24, sixteen, {12, 12, 12, 13}})));
  cases.push_back(timed(make("demo_stage2", {64, 7, 7, 48, four, {12, 12, 12, 13}})));
  cases.push_back(make("base_stage1_one_image", {1, 14, 14, 256, sixteen, quarters}));
  cases.push_back(make("base_stage2_one_picture", {1, 14, 14, 384, four, quarters}));
  cases.push_back(make("base_stage1_one_view_kept", {1, 14, 14, 256, sixteen, {49}}));
  cases.push_back(make("unequal_views", {3, 5, 3, 48, sixteen, {3, 3, 3, 6}}));
  cases.push_back(make("weights_in_bfloat16", {2, 4, 4, 32, four, {8, 8}, at::kBFloat16}));
  cases.push_back(make("two_views_of_three_kept", {2, 4, 5, 24, sixteen, {7, 6}}));
  cases.push_back(make("channels_with_remainder", {2, 3, 3, 70, sixteen, {9}}));
  cases.push_back(make("channels_19", {2, 3, 4, 19, four, {6, 6}}));
  cases.push_back(by_differences(make("one_patch", {1, 1, 1, 9, sixteen, {1}})));
  cases.push_back(by_differences(make("one_channel", {2, 2, 3, 1, four, {3, 3}})));
  cases.push_back(by_differences(make("channels_3", {1, 3, 2, 3, sixteen, {6}})));
  cases.push_back(by_differences(make("side_3", {1, 2, 3, 11, raster_cells(3), {4, 2}})));
  cases.push_back(make("side_5", {1, 3, 3, 24, raster_cells(5), {9}}));
  cases.push_back(make("side_8", {1, 2, 2, 16, raster_cells(8), {4}}));
  cases.push_back(make("cells_in_raster_order", {2, 3, 3, 40, raster_cells(4), {5, 4}}));
  cases.push_back(make("no_images", {0, 2, 2, 16, four, {4}}));
  return all;
}

}  // namespace fcm::ops
