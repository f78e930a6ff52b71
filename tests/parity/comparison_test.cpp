#include "tests/parity/comparison.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/parity/golden.h"

namespace fcm::parity {
namespace {

TEST(Comparison, IsRelativeToTheLargestValue) {
  const at::Tensor wanted = at::tensor({100.0, 1.0}), got = at::tensor({100.0, 1.5});
  CaseResult loose, tight;
  compare(loose, "x", got, wanted, 0.006);
  compare(tight, "x", got, wanted, 0.004);
  EXPECT_TRUE(loose.passed());
  EXPECT_DOUBLE_EQ(loose.max_abs, 0.5);
  EXPECT_DOUBLE_EQ(loose.max_rel, 0.005);
  EXPECT_FALSE(tight.passed());
}

TEST(Comparison, NothingPassesByBeingNotANumberOrAbsent) {
  const at::Tensor wanted = at::ones({3});
  CaseResult nan, infinite, shorter, empty;
  compare(nan, "x", at::full({3}, std::numeric_limits<double>::quiet_NaN()), wanted, 1e9);
  compare(infinite, "x", at::full({3}, std::numeric_limits<double>::infinity()), wanted, 1e9);
  compare(shorter, "x", at::ones({2}), wanted, 1e9);
  EXPECT_FALSE(nan.passed());
  EXPECT_FALSE(infinite.passed());
  EXPECT_FALSE(shorter.passed());
  EXPECT_FALSE(empty.passed()) << "a case that compares no tensor must fail";
}

TEST(Comparison, ZeroMustBeZeroWhereNothingIsAllowed) {
  CaseResult exact, off;
  compare(exact, "x", at::zeros({2}), at::zeros({2}), 0);
  compare(off, "x", at::full({2}, 1e-30), at::zeros({2}), 0);
  EXPECT_TRUE(exact.passed());
  EXPECT_FALSE(off.passed());
}

Entry entry_with(const nlohmann::json& about) { return {"folder", "file.safetensors", about, {}}; }

constexpr auto kAnything = [](const std::string&, Quantity) { return 1e9; };

TEST(Stored, ANameThatIsNotComputedIsAFault) {
  parity::Run run;
  run.values["latent"] = at::ones({2});
  CaseResult result;
  const Tensors stored{{"latent", at::ones({2})}, {"act.unheard_of", at::ones({2})}};
  compare_with_stored(result, entry_with({}), stored, run, Stored::kFloat32, kAnything);
  ASSERT_EQ(result.faults.size(), 1u);
  EXPECT_NE(result.faults[0].find("act.unheard_of"), std::string::npos);
}

TEST(Stored, SamplesAreReadAtTheirPlaces) {
  parity::Run run;
  run.values["latent"] = at::arange(10).to(at::kDouble);
  Tensors stored{{"latent.idx", at::tensor({7, 2}, at::kLong)},
                 {"latent.val", at::tensor({7., 2.})}};
  const Tolerance none = [](const std::string&, Quantity) { return 1e-9; };
  CaseResult right, wrong;
  compare_with_stored(right, entry_with({}), stored, run, Stored::kFloat32, none);
  stored["latent.val"] = at::tensor({2., 7.});
  compare_with_stored(wrong, entry_with({}), stored, run, Stored::kFloat32, none);
  EXPECT_TRUE(right.passed());
  EXPECT_FALSE(wrong.passed());
}

TEST(Stored, TheKeysBiasIsComparedWithZero) {
  parity::Run run;
  const std::string name = "grad.norm_pix.blocks.0.attn.qkv.bias";
  run.values[name] = at::tensor({1., 1., 0., 0., 1., 1.});
  const Tensors stored{{name, at::tensor({1., 1., 9., 9., 1., 1.})}};  // upstream's rounding noise
  const Tolerance tight = [](const std::string&, Quantity) { return 1e-6; };
  CaseResult zero, biased;
  compare_with_stored(zero, entry_with({}), stored, run, Stored::kFloat32, tight);
  run.values[name] = at::tensor({1., 1., 0., 0.1, 1., 1.});
  compare_with_stored(biased, entry_with({}), stored, run, Stored::kFloat32, tight);
  EXPECT_TRUE(zero.passed()) << zero.faults.front();
  EXPECT_FALSE(biased.passed());
}

}  // namespace
}  // namespace fcm::parity
