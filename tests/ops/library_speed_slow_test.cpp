// Own kernels against LibTorch's own operators, on one thread, in processor time of that thread (so
// that other programs on the machine matter little). Prints the table that the READMEs quote.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <time.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>

#include "fcm/ops/attention/cases.h"
#include "fcm/ops/attention/op.h"
#include "fcm/ops/attention/with_isa.h"
#include "fcm/ops/gelu/cases.h"
#include "fcm/ops/isa.h"
#include "fcm/ops/layer_norm/cases.h"
#include "fcm/ops/linear/cases.h"
#include "fcm/ops/linear/with_isa.h"
#include "tests/support/compare.h"

namespace fcm::ops {
namespace {

using Function = std::function<at::Tensor(const OpCase::Inputs&)>;

double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void run(const Function& function, const OpCase::Inputs& inputs, bool backward) {
  if (!backward) {
    const at::NoGradGuard no_grad;
    function(inputs);
    return;
  }
  const at::Tensor result = function(inputs);
  torch::autograd::grad({result}, inputs, {result.detach()});
}

struct Best {
  double own, library;
};

Best best_of(const Function& own, const Function& library, const OpCase::Inputs& inputs,
             bool backward) {
  Best best{1e9, 1e9};
  for (int round = 0; round < 8; ++round) {
    const double start = thread_seconds();
    run(own, inputs, backward);
    const double middle = thread_seconds();
    run(library, inputs, backward);
    if (round == 0) continue;  // the first calls touch fresh memory
    best.own = std::min(best.own, middle - start);
    best.library = std::min(best.library, thread_seconds() - middle);
  }
  return best;
}

// Prints a line per case, type and pass; returns the geometric mean of the gains.
double compare_with_library(const OpCases& table,
                            const std::function<Function(const OpCase&)>& library,
                            std::vector<at::ScalarType> dtypes) {
  const test::OneThread one_thread;
  double logarithms = 0;
  int count = 0;
  for (const OpCase& op_case : table.cases) {
    if (!op_case.benchmark) continue;
    for (const auto dtype : dtypes) {
      OpCase::Inputs inputs = op_case.inputs(dtype, 1);
      for (at::Tensor& input : inputs) input.set_requires_grad(true);
      for (const bool backward : {false, true}) {
        const Best best = best_of(op_case.run, library(op_case), inputs, backward);
        const double bytes = op_case.forward_elements * (dtype == at::kBFloat16 ? 2 : 4);
        fmt::print(
            "{:<11}{:<18}{:<9}{:<17}{:9.3f} ms{:8.1f} GFLOP/s{:7.1f} GB/s  library x{:.2f}\n",
            table.op, op_case.name, c10::toString(dtype), backward ? "forward+backward" : "forward",
            best.own * 1e3, op_case.forward_flops * (backward ? 3 : 1) / best.own * 1e-9,
            bytes * (backward ? 2.5 : 1) / best.own * 1e-9, best.library / best.own);
        logarithms += std::log(best.library / best.own);
        ++count;
      }
    }
  }
  return std::exp(logarithms / count);
}

class LibrarySpeed : public testing::Test {
 protected:
  void SetUp() override {
    if (isa() < Isa::kAvx512) GTEST_SKIP() << "the claims are about AVX-512";
  }
};

TEST_F(LibrarySpeed, LayerNorm) {
  const auto library = [](const OpCase&) -> Function {
    return [](const OpCase::Inputs& in) {
      return std::get<0>(at::native_layer_norm(in[0], in[1].sizes(), in[1], in[2], 1e-6));
    };
  };
  EXPECT_GT(compare_with_library(layer_norm_cases(), library, {at::kFloat, at::kBFloat16}), 1.2);
}

TEST_F(LibrarySpeed, Gelu) {
  const auto library = [](const OpCase&) -> Function {
    return [](const OpCase::Inputs& in) { return at::gelu(in[0]); };
  };
  EXPECT_GT(compare_with_library(gelu_cases(), library, {at::kFloat, at::kBFloat16}), 0.9);
}

TEST_F(LibrarySpeed, Attention) {
  const auto library = [](const OpCase& op_case) -> Function {
    // Heads from the names of the recipes' shapes: 4 in the demo, 16 in the decoder, else 12.
    const bool demo = op_case.name.find("demo") == 0;
    const int64_t heads = demo ? 4 : (op_case.name == "base_decoder" ? 16 : 12);
    return [heads](const OpCase::Inputs& in) { return attention_library(in[0], heads); };
  };
  EXPECT_GT(compare_with_library(attention_cases(), library, {at::kFloat, at::kBFloat16}), 1.8);
}

TEST_F(LibrarySpeed, Linear) {
  const auto library = [](const OpCase&) -> Function {
    return [](const OpCase::Inputs& in) { return linear_library(in[0], in[1], in[2]); };
  };
  // Where there are tiles the processor is Intel's, whose library has AVX-512 kernels of its own.
  const double gain = isa() == Isa::kAmx ? 1.2 : 1.4;
  EXPECT_GT(compare_with_library(linear_cases(), library, {at::kFloat}), gain);
}

}  // namespace
}  // namespace fcm::ops
