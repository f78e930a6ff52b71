#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "fcm/ops/linear/op.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

OpCase make(std::string name, int64_t rows, int64_t inputs, int64_t outputs) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    const at::ScalarType parameters = c10::promoteTypes(dtype, at::kFloat);
    const double scale = 1 / std::sqrt(static_cast<double>(inputs));
    return OpCase::Inputs{case_values({rows, inputs}, dtype, seed),
                          case_values({outputs, inputs}, parameters, seed + 1, scale),
                          case_values({outputs}, parameters, seed + 2)};
  };
  result.run = [](const OpCase::Inputs& in) { return linear(in[0], in[1], in[2]); };
  result.reference = [](const OpCase::Inputs& in) { return linear_reference(in[0], in[1], in[2]); };
  result.library = [](const OpCase::Inputs& in) { return linear_library(in[0], in[1], in[2]); };
  const auto m = static_cast<double>(rows), i = static_cast<double>(inputs),
             o = static_cast<double>(outputs);
  result.forward_flops = 2 * m * i * o;
  result.forward_elements = m * i + m * o + i * o + o;
  return result;
}

}  // namespace

OpCases linear_cases() {
  OpCases all{"linear", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("base_stage1_fc1", 3136, 256, 1024)));
  cases.push_back(timed(make("base_stage3_fc1", 1568, 768, 3072)));
  cases.push_back(timed(make("base_stage3_qkv", 1568, 768, 2304)));
  cases.push_back(timed(make("base_decoder_fc2", 3136, 2048, 512)));
  cases.push_back(timed(make("base_fuse1", 1568, 4096, 768)));
  cases.push_back(timed(make("demo_stage1_fc1", 65536, 24, 96)));
  cases.push_back(timed(make("demo_stage1_fc2", 65536, 96, 24)));
  cases.push_back(timed(make("demo_stage2_fc1", 16384, 48, 192)));
  cases.push_back(timed(make("demo_decoder_qkv", 16384, 48, 144)));
  cases.push_back(timed(make("demo_stage3_fc1", 4096, 96, 384)));
  cases.push_back(make("few_stage3", 98, 768, 768));
  cases.push_back(make("few_fuse1", 60, 4096, 128));
  cases.push_back(make("few_demo", 3000, 24, 96));
  cases.push_back(make("tall", 5000, 7, 5));
  cases.push_back(make("odd", 331, 83, 109));
  cases.push_back(make("odd_and_deep", 101, 1030, 50));
  cases.push_back(make("wide_panels", 200, 300, 144));
  cases.push_back(make("one_row", 1, 40, 30));
  cases.push_back(make("one_output", 70, 30, 1));
  cases.push_back(make("no_rows", 0, 8, 4));
  cases.push_back(by_differences(make("small", 4, 5, 3)));
  return all;
}

}  // namespace fcm::ops
