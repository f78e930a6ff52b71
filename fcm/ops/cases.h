// The table of cases of each operator, in its cases.cpp. The comparison with the reference, the
// gradient check and the benchmark all use it, so every case that is timed is also tested.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fcm::ops {

struct OpCase {
  using Inputs = std::vector<at::Tensor>;

  std::string name;  // what is special about the case: "base_stage1", "one_patch"
  // Inputs with floating-point tensors in `dtype`; integer inputs (tables) keep their own type. The
  // same seed gives the same values up to rounding. The floating-point inputs are the
  // differentiable ones.
  std::function<Inputs(at::ScalarType dtype, uint64_t seed)> inputs;
  std::function<at::Tensor(const Inputs&)> run;        // the operator as the program calls it
  std::function<at::Tensor(const Inputs&)> reference;  // plain tensor calls
  std::function<at::Tensor(const Inputs&)> library;    // LibTorch's own, to time; may be empty
  double forward_flops = 0;                            // of one call
  double forward_elements = 0;        // elements read plus written, weights included
  bool check_by_differences = false;  // small enough for central differences in float64
  bool benchmark = false;             // a recipe's shape, worth timing
  // Allowed in float32 in addition to Tolerance::float32, because of the size of the scores before
  // a softmax; see with_score_rounding().
  double float32_of_scores = 0;
};

OpCase timed(OpCase op_case);           // sets benchmark
OpCase by_differences(OpCase op_case);  // sets check_by_differences
// Sets float32_of_scores for attention whose q and k have standard deviation `scale`. A score is a
// sum of head_dim products, about scale^2 each, over sqrt(head_dim). With sums of absolute values
// up to S = 2 sqrt(head_dim) scale^2, the score is off by up to S 2^-24 for each rounding, and a
// probability p by p (1 - p) 2 S 2^-24 <= S 2^-25.
OpCase with_score_rounding(OpCase op_case, double scale, int64_t head_dim);

// Largest allowed absolute error against the float64 reference, relative to the largest absolute
// value of the tensor.
struct Tolerance {
  double float32 = 2e-6;
  double float32_gradient = 1e-5;
  double bfloat16 = 1.6e-2;  // four roundings of 2^-8 relative to the largest value
  double bfloat16_gradient = 3e-2;
};

struct OpCases {
  std::string op;
  Tolerance tolerance;
  std::vector<OpCase> cases;
};

// Normally distributed values with standard deviation `scale`, drawn in float64 and then rounded:
// the same values up to rounding for every dtype. For `OpCase::inputs`.
at::Tensor case_values(at::IntArrayRef sizes, at::ScalarType dtype, uint64_t seed,
                       double scale = 1);

OpCases adamw_cases();
OpCases attention_cases();
OpCases branches_cases();
OpCases conv3x3_cases();
OpCases cross_attention_cases();
OpCases decomposed_attention_cases();
OpCases gather_rows_cases();
OpCases gelu_cases();
OpCases layer_norm_cases();
OpCases linear_cases();
OpCases mix_cases();
OpCases nms_cases();
OpCases norm_linear_cases();
OpCases patch_depthwise_conv_cases();
OpCases patch_embed_cases();
OpCases patch_loss_cases();
OpCases patchify_cases();
OpCases roi_align_cases();
OpCases window_attention_cases();

// Every operator's table, in one explicit list.
std::vector<OpCases> all_op_cases();

}  // namespace fcm::ops
