#include "fcm/train/mismatches.h"

#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "tests/support/error_of.h"

namespace fcm::train {
namespace {

using formats::TensorFile;

TensorFile file_with(const std::vector<std::string>& names) {
  TensorFile file;
  for (const std::string& name : names) file.tensors.push_back({name, "F32", {2}, {}});
  return file;
}

std::string fault(const TensorFile& file, const std::vector<std::string>& wanted,
                  const LoadRules& rules = {}, const std::vector<int64_t>& shape = {2}) {
  Mismatches mismatches(rules);
  for (const std::string& name : wanted) mismatches.take(file, name, shape);
  return test::error_of(ExitCode::kCheckpoint, [&] { mismatches.check(file, "some/file"); });
}

std::vector<std::string> blocks(const std::string& prefix, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    for (const char* rest : {"norm1.weight", "attn.qkv.weight"}) {
      names.push_back(fmt::format("{}.{}.{}", prefix, i, rest));
    }
  }
  return names;
}

TEST(Mismatches, FewAreNamed) {
  EXPECT_EQ(fault(file_with({"a.weight"}), {"a.weight"}), "");
  EXPECT_EQ(fault(file_with({"a.weight", "c"}), {"a.weight", "b.0.weight"}),
            "some/file does not fit this model:\n  missing: b.0.weight\n  unexpected: c\n"
            "Use the recipe it was trained with (recipe.toml of its run), or set its sizes");
}

TEST(Mismatches, ManyAreCountedByModuleAndThreeShown) {
  std::vector<std::string> wanted = blocks("decoder_blocks", 48);
  wanted.push_back("mask_token");
  const std::string text = fault(file_with({}), wanted);
  EXPECT_NE(text.find("missing: decoder_blocks.* (96), mask_token: 97 tensors, the first "
                      "decoder_blocks.0.norm1.weight, decoder_blocks.0.attn.qkv.weight, "
                      "decoder_blocks.1.norm1.weight\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("fastconvmae checkpoint show FILE"), std::string::npos);
  EXPECT_EQ(text.find("unexpected"), std::string::npos) << "the file has no unexpected tensor";
  EXPECT_LT(text.size(), 500U);
}

TEST(Mismatches, OtherShapesSayBoth) {
  const std::vector<std::string> names = blocks("blocks", 2);
  const std::string text = fault(file_with(names), names, {}, {3, 4});
  EXPECT_NE(text.find("other shape: blocks.* (4): 4 tensors, the first blocks.0.norm1.weight is "
                      "[2], expected [3, 4], "),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("missing"), std::string::npos) << text;
}

TEST(Mismatches, RulesLetSomePass) {
  EXPECT_EQ(fault(file_with({"head.weight"}), {"mask_token"}, {{"mask_*"}, {"head.*"}}), "");
  EXPECT_NE(fault(file_with({"head.weight"}), {"mask_token"}, {{"head.*"}, {"mask_*"}}), "");
}

TEST(Mismatches, ModulesEndBeforeTheirFirstNumberOrTheLastWord) {
  EXPECT_EQ(counted_by_module({"exp_avg.blocks3.0.attn.qkv.weight", "patch_embed1.proj.weight",
                               "patch_embed1.proj.bias", "mask_token",
                               "reconstructors.ema.blocks.0.norm1.bias", "head.1.weight"}),
            "exp_avg.blocks3.* (1), patch_embed1.proj.* (2), mask_token, "
            "reconstructors.ema.blocks.* (1), head.* (1)");
  std::vector<std::string> many;
  for (int i = 0; i < 20; ++i) many.push_back(fmt::format("m{}.weight", i));
  EXPECT_NE(counted_by_module(many).find("m7.* (1), 12 more modules"), std::string::npos);
}

}  // namespace
}  // namespace fcm::train
