// The CUDA kernels of attention on the emulator.
#include "tests/emulator/emulated.h"
// Sources of the kernels.
#include "fcm/ops/attention/backward.cu"
#include "fcm/ops/attention/forward.cu"
// Operators that launch the kernels.
#include "fcm/ops/attention/op.h"
#include "fcm/ops/attention/passes.h"
#include "fcm/ops/cross_attention/op.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;
using namespace attention_rows;
using test::emulator::EmulatedCuda;
using test::emulator::Machine;

// A kernel of one warp: D = A (16 x 16) times B (16 x 8) + D, with B stored by rows or by columns.
void multiply_once(const Bfloat16* a, const Bfloat16* b, bool by_rows, float* out) {
  auto* shared = static_cast<Bfloat16*>(shared_memory());
  for (int i = lane(); i < 16 * 8; i += kWarp) shared[i] = b[i];
  __syncwarp();
  uint32_t left[4], right[2];
  for (int i = 0; i < 4; ++i) {
    left[i] = load_pair(a + (group() + i % 2 * 8) * 16 + i / 2 * 8 + 2 * pair());
  }
  if (by_rows) {
    load_tile_by_rows(right, shared + lane() % 16 * 8);
  } else {
    load_tile_by_columns(right, shared + group() * 16);
  }
  float d[4] = {1, 1, 1, 1};
  multiply_tiles(d, left, right);
  for (int i = 0; i < 4; ++i) out[(group() + i / 2 * 8) * 8 + 2 * pair() + i % 2] = d[i];
}

TEST(EmulatedTiles, MultiplyAsMatricesDo) {
  const at::Tensor a = case_values({16, 16}, at::kBFloat16, 1),
                   b = case_values({16, 8}, at::kBFloat16, 2), out = at::empty({16, 8});
  const at::Tensor wanted = at::mm(a.to(at::kDouble), b.to(at::kDouble)) + 1;
  for (const bool by_rows : {true, false}) {
    const at::Tensor stored = by_rows ? b : b.t().contiguous();
    launch({"multiply", 1, 1, kWarp, 16 * 8 * 2, nullptr}, multiply_once,
           static_cast<const Bfloat16*>(a.const_data_ptr()),
           static_cast<const Bfloat16*>(stored.const_data_ptr()), by_rows, out.data_ptr<float>());
    EXPECT_EQ(compare(out, wanted, 1e-6).description, "") << by_rows;
  }
}

struct Size {
  int64_t sequences, tokens, heads, head_dim, first;
  double scale = 1;
};

struct Pass {
  at::Tensor out, dqkv, recomputed_out;
};

Pass pass_of(const Size& size, const at::Tensor& qkv, const at::Tensor& dout) {
  const Attended attended = attention_forward(isa(), qkv, size.heads, size.first);
  const AttentionGradients gradients = attention_backward(
      isa(), dout, qkv, attended.statistics_NhT2, size.heads, /*recompute_out=*/true, size.first);
  return {attended.out_NTC, gradients.dqkv_NTD, gradients.out_NTC};
}

Pass reference_pass(const Size& size, const at::Tensor& qkv, const at::Tensor& dout) {
  const at::Tensor wide = qkv.to(at::kDouble).requires_grad_();
  const at::Tensor out = attention_reference(wide, size.heads).slice(1, size.first);
  const at::Tensor dqkv = torch::autograd::grad({out}, {wide}, {dout.to(at::kDouble)})[0];
  return {out.detach(), dqkv, out.detach()};
}

class EmulatedAttention : public testing::TestWithParam<Size> {
 protected:
  const test::OneThread one_thread_;
};

TEST_P(EmulatedAttention, EqualsTheReference) {
  const Size& size = GetParam();
  const int64_t width = size.heads * size.head_dim;
  const at::Tensor qkv =
      case_values({size.sequences, size.tokens, 3 * width}, at::kBFloat16, 1, size.scale);
  const at::Tensor dout =
      case_values({size.sequences, size.tokens - size.first, width}, at::kBFloat16, 2);
  const Pass wanted = reference_pass(size, qkv, dout);
  const EmulatedCuda emulated;
  ASSERT_TRUE(attention_fits(qkv, size.head_dim));
  const unsigned launches = Machine::get().launches();
  const Pass got = pass_of(size, qkv, dout), again = pass_of(size, qkv, dout);
  EXPECT_EQ(Machine::get().launches(), launches + 6);
  const double tolerance = 1e-2;  // as for the operator's bfloat16 cases
  EXPECT_EQ(compare(got.out, wanted.out, tolerance).description, "");
  EXPECT_EQ(compare(got.recomputed_out, wanted.out, tolerance).description, "");
  for (int64_t part = 0; part < 3; ++part) {
    const at::Tensor mine = got.dqkv.narrow(2, part * width, width);
    EXPECT_EQ(compare(mine, wanted.dqkv.narrow(2, part * width, width), tolerance).description, "")
        << part;
  }
  EXPECT_TRUE(same_bits(got.out, again.out));
  EXPECT_TRUE(same_bits(got.dqkv, again.dqkv));
  EXPECT_TRUE(same_bits(got.recomputed_out, again.recomputed_out));
}

// Sizes: one chunk of keys, partial tiles, several chunks and blocks, first tokens that are only
// keys, and large scores.
INSTANTIATE_TEST_SUITE_P(Sizes, EmulatedAttention,
                         testing::Values(Size{2, 49, 2, 64, 0}, Size{1, 196, 2, 32, 0},
                                         Size{1, 196, 2, 32, 49}, Size{3, 1, 1, 32, 0},
                                         Size{2, 16, 3, 64, 3}, Size{1, 64, 1, 32, 63},
                                         Size{1, 65, 2, 64, 20}, Size{1, 130, 1, 64, 0},
                                         Size{2, 33, 1, 32, 0, 6.0}));

struct CrossSize {
  int64_t sequences, queries, keys, heads, head_dim;
};

class EmulatedCrossAttention : public testing::TestWithParam<CrossSize> {
 protected:
  const test::OneThread one_thread_;
};

// Attention whose queries and keys are of two different sequences.
TEST_P(EmulatedCrossAttention, EqualsTheReference) {
  const CrossSize& size = GetParam();
  const int64_t width = size.heads * size.head_dim;
  const at::Tensor q = case_values({size.sequences, size.queries, width}, at::kBFloat16, 1),
                   kv = case_values({size.sequences, size.keys, 2 * width}, at::kBFloat16, 2),
                   dout = case_values({size.sequences, size.queries, width}, at::kBFloat16, 3);
  const auto pass = [&](const auto& function, const at::Tensor& of_q, const at::Tensor& of_kv) {
    const at::Tensor x = of_q.clone().requires_grad_(), y = of_kv.clone().requires_grad_();
    const at::Tensor out = function(x, y, size.heads);
    auto all = torch::autograd::grad({out}, {x, y}, {dout.to(out.scalar_type())});
    all.push_back(out.detach());
    return all;
  };
  const auto wanted = pass(cross_attention_reference, q.to(at::kDouble), kv.to(at::kDouble));
  const EmulatedCuda emulated;
  const unsigned launches = Machine::get().launches();
  const auto got = pass(cross_attention, q, kv), again = pass(cross_attention, q, kv);
  EXPECT_EQ(Machine::get().launches(), launches + 6);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(same_bits(got[i], again[i])) << i;
    if (i == 0 && size.keys == 1) {  // a softmax of one score is constant: dq is 0 up to rounding
      EXPECT_LT(got[i].abs().max().item<double>(), 1e-5);
      continue;
    }
    EXPECT_EQ(compare(got[i], wanted[i], 1e-2).description, "") << i;
  }
}

// Sizes: partial tiles, more keys than a chunk has, more queries than a block has.
INSTANTIATE_TEST_SUITE_P(Sizes, EmulatedCrossAttention,
                         testing::Values(CrossSize{2, 37, 49, 2, 32}, CrossSize{1, 147, 50, 2, 32},
                                         CrossSize{2, 1, 65, 1, 64}, CrossSize{1, 70, 1, 3, 32},
                                         CrossSize{1, 5, 130, 1, 64}));

// Negative control: changing the value of one token changes the result.
TEST(EmulatedAttention, EveryKeyCounts) {
  const test::OneThread one_thread;
  const Size size{1, 50, 1, 32, 0};
  at::Tensor qkv = case_values({1, 50, 96}, at::kBFloat16, 1);
  const at::Tensor dout = case_values({1, 50, 32}, at::kBFloat16, 2);
  const Pass wanted = reference_pass(size, qkv, dout);
  const EmulatedCuda emulated;
  qkv = qkv.clone();
  qkv.select(1, 49).narrow(1, 64, 32).zero_();  // the value of the last token
  const Pass got = pass_of(size, qkv, dout);
  EXPECT_NE(compare(got.out, wanted.out, 1e-2).description, "");
}

TEST(EmulatedAttention, TakesTensorsAtAnyAddress) {
  const test::OneThread one_thread;
  const Size size{1, 20, 1, 32, 0};
  const EmulatedCuda emulated;
  const at::Tensor flat = case_values({1 + 20 * 96}, at::kBFloat16, 1),
                   dout = case_values({1, 20, 32}, at::kBFloat16, 2);
  const at::Tensor qkv = flat.narrow(0, 1, 20 * 96).view({1, 20, 96});
  EXPECT_TRUE(same_bits(pass_of(size, qkv, dout).dqkv, pass_of(size, qkv.clone(), dout).dqkv));
}

// Tests the fallback for dtypes and head sizes that the kernels do not support; here float64 and
// heads of 12 channels.
TEST(EmulatedAttention, PlainFormEqualsTheReference) {
  const test::OneThread one_thread;
  const at::Tensor qkv = case_values({2, 9, 72}, at::kDouble, 1),
                   dout = case_values({2, 9, 24}, at::kDouble, 2);
  const auto with_gradient = [&](const auto& function) {
    const at::Tensor x = qkv.clone().requires_grad_();
    const at::Tensor y = function(x, 2);
    return std::pair(y.detach(), torch::autograd::grad({y}, {x}, {dout})[0]);
  };
  const auto wanted = with_gradient(attention_reference);
  const EmulatedCuda emulated;
  const auto got = with_gradient(attention_library);
  EXPECT_EQ(compare(got.first, wanted.first, 1e-13).description, "");
  EXPECT_EQ(compare(got.second, wanted.second, 1e-13).description, "");
}

TEST(EmulatedAttention, LeavesOtherHeadsAndTypesToOthers) {
  const EmulatedCuda emulated;
  const unsigned launches = Machine::get().launches();
  attention(case_values({2, 9, 72}, at::kBFloat16, 1), 1);
  attention(case_values({2, 9, 96}, at::kFloat, 1), 1);
  EXPECT_EQ(Machine::get().launches(), launches);
}

}  // namespace
}  // namespace fcm::ops
