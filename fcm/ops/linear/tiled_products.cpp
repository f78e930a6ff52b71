#include "fcm/ops/linear/tiled_products.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "fcm/ops/linear/tiled.h"

namespace fcm::ops {
namespace {

// Size of a block of B, which shares the L2 cache with a strip of A and the squares of C.
constexpr int64_t kBlockBytes = 1200 << 10;
// Largest depth of a block: float32 sums over more elements would have larger errors.
template <class In>
constexpr int64_t kMaxDepthBlock = sizeof(In) == 4 ? 400 : 800;
constexpr int64_t kNarrowest = 128;  // columns of a task, if there are enough for all threads
constexpr int64_t kFewestInPart = 128;

template <class T>
T pointer_of(const at::Tensor& x) {
  return static_cast<T>(x.defined() ? x.mutable_data_ptr() : nullptr);
}

int64_t parts_of(int64_t count, int64_t most) { return (count + most - 1) / most; }
int64_t tiles_of(int64_t count) { return (count + 31) / 32 * 32; }

// Tasks are ranges of columns, and of rows as well if there are too few columns.
template <class In>
struct Cuts {
  int64_t depth_block, width, ranges, height, parts;

  Cuts(int64_t rows, int64_t depth, int64_t columns, int64_t max_depth_block) {
    constexpr int64_t kBytes = sizeof(In) == 4 ? 6 : 2;  // all components of one element
    const int64_t threads = at::get_num_threads();
    depth_block = tiles_of(parts_of(depth, parts_of(depth, max_depth_block)));
    const int64_t widest = std::max<int64_t>(64, kBlockBytes / (kBytes * depth_block) / 32 * 32);
    ranges = parts_of(columns, widest);
    const int64_t more = parts_of(ranges, threads) * threads;
    if (columns / more >= kNarrowest) ranges = more;
    width = tiles_of(parts_of(columns, ranges));
    ranges = parts_of(columns, width);
    parts = ranges % threads == 0 ? 1 : std::clamp<int64_t>(threads, 1, rows / kFewestInPart + 1);
    height = tiles_of(parts_of(rows, parts));
    parts = parts_of(rows, height);
  }
};

template <class In, class Out>
void run_tasks(const TiledKernel<In, Out>& kernel, const TiledProduct<In, Out>& all,
               const Cuts<In>& cuts) {
  at::parallel_for(0, cuts.ranges * cuts.parts, 1, [&](int64_t begin, int64_t end) {
    const at::Tensor scratch =
        at::empty({kernel.scratch_bytes(cuts.depth_block, cuts.width)}, at::kByte);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row = task % cuts.parts * cuts.height, n = task / cuts.parts * cuts.width;
      TiledProduct<In, Out> part = all;
      part.depth_block = cuts.depth_block;
      part.rows = std::min(cuts.height, all.rows - row);
      part.columns = std::min(cuts.width, all.columns - n);
      part.a += row * all.a_row;
      part.b += n * all.b_column;
      part.c += all.transposed ? n * all.c_row + row : row * all.c_row + n;
      if (all.bias != nullptr) part.bias += n;
      // For each range of a_sums and b_sums, only one task computes the sums.
      part.a_sums = all.a_sums == nullptr || n > 0 ? nullptr : all.a_sums + row;
      part.b_sums = all.b_sums == nullptr || row > 0 ? nullptr : all.b_sums + n;
      part.scratch = scratch.data_ptr();
      kernel.product(part);
    }
  });
}

template <class In>
void product(const TiledKernel<In, In>& kernel, const at::Tensor& x_MK, const at::Tensor& b_KN,
             const at::Tensor& bias_N, bool onto_y, const at::Tensor& y_MN) {
  TiledProduct<In, In> all{};
  all.rows = x_MK.size(0);
  all.depth = x_MK.size(1);
  all.columns = b_KN.size(1);
  all.a = static_cast<const In*>(x_MK.const_data_ptr());
  all.a_row = all.depth;
  all.a_depth = 1;
  all.b = static_cast<const In*>(b_KN.const_data_ptr());
  all.b_depth = b_KN.stride(0);
  all.b_column = b_KN.stride(1);
  all.bias = pointer_of<const In*>(bias_N);
  all.onto = onto_y;
  all.c = pointer_of<In*>(y_MN);
  all.c_row = all.columns;
  const int64_t max_depth_block = sizeof(In) == 4 ? kMaxDepthBlock<In> : all.depth;
  run_tasks(kernel, all, Cuts<In>(all.rows, all.depth, all.columns, max_depth_block));
}

// The wider of dy and x is A, because the packing of A is hidden behind multiplications. The result
// is therefore stored transposed if x is the wider one.
template <class In>
std::pair<at::Tensor, at::Tensor> gradients(const TiledKernel<In, float>& kernel,
                                            const at::Tensor& dy_MO, const at::Tensor& x_MI) {
  const int64_t outputs = dy_MO.size(1), inputs = x_MI.size(1);
  const auto options = x_MI.options().dtype(at::kFloat);
  const at::Tensor dweight_OI = at::empty({outputs, inputs}, options);
  const at::Tensor dbias_O = at::empty({outputs}, options);
  const bool transposed = outputs < inputs;
  const at::Tensor &wide = transposed ? x_MI : dy_MO, &narrow = transposed ? dy_MO : x_MI;
  TiledProduct<In, float> all{};
  all.rows = wide.size(1);
  all.depth = wide.size(0);
  all.columns = narrow.size(1);
  all.a = static_cast<const In*>(wide.const_data_ptr());
  all.a_row = 1;
  all.a_depth = all.rows;
  all.b = static_cast<const In*>(narrow.const_data_ptr());
  all.b_depth = all.columns;
  all.b_column = 1;
  all.c = dweight_OI.data_ptr<float>();
  all.c_row = inputs;
  all.transposed = transposed;
  (transposed ? all.b_sums : all.a_sums) = dbias_O.data_ptr<float>();
  run_tasks(kernel, all, Cuts<In>(all.rows, all.depth, all.columns, kMaxDepthBlock<In>));
  return {dweight_OI, dbias_O};
}

}  // namespace

void tiled_product(const at::Tensor& x_MK, const at::Tensor& b_KN, const at::Tensor& bias_N,
                   bool onto_y, const at::Tensor& y_MN) {
  if (x_MK.scalar_type() == at::kFloat) {
    product(tiled_amx.of_float, x_MK, b_KN, bias_N, onto_y, y_MN);
  } else {
    product(tiled_amx.of_bfloat16, x_MK, b_KN, bias_N, onto_y, y_MN);
  }
}

std::pair<at::Tensor, at::Tensor> tiled_gradients(const at::Tensor& dy_MO, const at::Tensor& x_MI) {
  return x_MI.scalar_type() == at::kFloat ? gradients(tiled_amx.of_float, dy_MO, x_MI)
                                          : gradients(tiled_amx.of_bfloat16_wide, dy_MO, x_MI);
}

}  // namespace fcm::ops
