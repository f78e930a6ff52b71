#include "tests/parity/layout.h"

#include <ATen/ATen.h>

#include <vector>

#include "fcm/base/error.h"

namespace fcm::parity {
namespace {

// Converts [B, G, ...] to [G * B, ...].
at::Tensor group_major(const at::Tensor& x) { return x.transpose(0, 1).flatten(0, 1); }

UpstreamTensor complete(const at::Tensor& values) {
  return {values, at::ones(values.sizes(), at::kBool)};
}

// Writes source [N, S, C] to the positions `indices` [N, S] of a tensor [N, length, C].
UpstreamTensor scatter(const at::Tensor& source_NSC, const at::Tensor& indices_NS, int64_t length) {
  const int64_t rows = source_NSC.size(0), width = source_NSC.size(2);
  const at::Tensor index = indices_NS.unsqueeze(-1).expand_as(source_NSC);
  at::Tensor values = at::zeros({rows, length, width}, source_NSC.options());
  at::Tensor computed = at::zeros({rows, length, width}, at::kBool);
  values.scatter_(1, index, source_NSC);
  computed.scatter_(1, index, true);
  return {values, computed};
}

}  // namespace

Layout::Layout(const masks::ViewPlan& plan, ops::PatchGeometry geometry, int64_t class_tokens)
    : plan_(plan),
      geometry_(std::move(geometry)),
      class_tokens_(class_tokens),
      view_size_(plan.sizes.front()) {
  require(plan.kept_runs().size() == 1, "the kept views differ in size; layouts need equal sizes");
}

UpstreamTensor Layout::raster(const at::Tensor& tokens) const {
  const int64_t kept = plan_.kept_slots();
  return scatter(tokens.reshape({batch(), kept, -1}), plan_.order_BL.narrow(1, 0, kept), patches());
}

UpstreamTensor Layout::map(const at::Tensor& cells, int64_t stage) const {
  const ops::Cells places = geometry_.cells(stage);
  const int64_t kept = plan_.kept_slots(), count = places.count(), side = places.side;
  const at::Tensor stored = cells.reshape({batch(), kept, count, -1});
  const int64_t width = stored.size(3);
  // order[r] is the storage index of the cell with raster index r.
  const at::Tensor order = at::tensor(at::ArrayRef<int64_t>(places.raster), at::kLong).argsort();
  const UpstreamTensor patches_BLC = raster(stored.index_select(2, order).flatten(2));
  const auto as_map = [&](const at::Tensor& x) {
    return x.reshape({batch(), plan_.grid.rows, plan_.grid.cols, side, side, width})
        .permute({0, 5, 1, 3, 2, 4})
        .reshape({batch(), width, plan_.grid.rows * side, plan_.grid.cols * side});
  };
  return {as_map(patches_BLC.values), as_map(patches_BLC.computed)};
}

UpstreamTensor Layout::views(const at::Tensor& tokens) const {
  const int64_t length = class_tokens_ + view_size_;
  return complete(group_major(tokens.reshape({batch(), plan_.kept, length, -1})));
}

at::Tensor Layout::patch_of_place() const {
  std::vector<at::Tensor> views;
  for (int64_t view = 0; view < plan_.kept; ++view) {
    const int64_t begin = view * view_size_, end = begin + view_size_;
    views.push_back(
        at::cat({plan_.order_BL.narrow(1, begin, view_size_), plan_.order_BL.narrow(1, 0, begin),
                 plan_.order_BL.narrow(1, end, patches() - end)},
                1));
  }
  return at::stack(views, 1);
}

UpstreamTensor Layout::sequences(const at::Tensor& tokens) const {
  at::Tensor source = group_major(tokens.reshape({batch(), plan_.kept, -1, tokens.size(-1)}));
  at::Tensor places = group_major(patch_of_place()) + class_tokens_;
  const int64_t length = source.size(1), hidden = patches() - view_size_;
  if (length == hidden) {
    places = places.narrow(1, view_size_, hidden);
  } else if (class_tokens_ == 1) {
    places = at::cat({at::zeros({places.size(0), 1}, at::kLong), places}, 1);
  }
  return scatter(source, places, class_tokens_ + patches());
}

UpstreamTensor Layout::predictions(const at::Tensor& predictions_BGHD) const {
  const std::vector<int64_t> order = geometry_.pixel_order();
  const auto pixels = static_cast<int64_t>(order.size());
  const at::Tensor inverse = at::tensor(at::ArrayRef<int64_t>(order), at::kLong).argsort();
  const at::Tensor raster = predictions_BGHD.unflatten(3, {pixels, -1}).index_select(3, inverse);
  const int64_t hidden = patches() - view_size_;
  return scatter(group_major(raster.flatten(3)),
                 group_major(patch_of_place()).narrow(1, view_size_, hidden), patches());
}

at::Tensor Layout::masks() const {
  const at::Tensor visible = group_major(patch_of_place()).narrow(1, 0, view_size_);
  return at::ones({visible.size(0), patches()}).scatter_(1, visible, 0);
}

at::Tensor Layout::ids_restore() const { return plan_.order_BL.argsort(/*dim=*/int64_t{1}); }

}  // namespace fcm::parity
