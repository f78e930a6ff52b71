// The profile: the table of a step's time by operator and phase.
#include "bench/profile.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/profile_scope.h"

namespace fcm::bench {
namespace {

const nlohmann::json* row_of(const nlohmann::json& table, const std::string& phase,
                             const std::string& part) {
  for (const nlohmann::json& row : table) {
    if (row.at("phase") == phase && row.at("part") == part) return &row;
  }
  return nullptr;
}

double sum_of(const nlohmann::json& table, const char* key) {
  double sum = 0;
  for (const nlohmann::json& row : table) sum += row.at(key).get<double>();
  return sum;
}

TEST(Profile, NamesOperatorsByPhaseAndAddsUp) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::ones({256, 128}), weight = at::ones({64, 128}), bias = at::zeros({64});
  nlohmann::json table;
  {
    Profile profile;
    at::sin(x);  // before the first phase
    profile.phase("one");
    for (int i = 0; i < 3; ++i) ops::linear(x, weight, bias);
    profile.phase("two");
    ops::layer_norm(x, at::ones({128}), at::zeros({128}), 1e-6);
    profile.phase("");
    at::sin(x);
    table = profile.table(1e12, 1e10);
  }
  EXPECT_NEAR(sum_of(table, "share"), 1, 1e-9);
  const nlohmann::json* product = row_of(table, "one", "product 128 -> 64");
  ASSERT_NE(product, nullptr) << table.dump(1);
  EXPECT_EQ(product->at("calls"), 3);
  const double flops = 3 * 2.0 * 256 * 128 * 64;
  EXPECT_NEAR(product->at("gflops").get<double>() * product->at("seconds").get<double>() * 1e9,
              flops, 1e-3 * flops);
  EXPECT_NE(row_of(table, "two", "layer_norm"), nullptr);
  EXPECT_EQ(row_of(table, "two", "product 128 -> 64"), nullptr);
  for (const nlohmann::json& row : table) EXPECT_NE(row.at("part"), "aten::sin");
}

TEST(Profile, CountsANestedOperatorForTheOutermost) {
  const at::NoGradGuard no_grad;
  nlohmann::json table;
  {
    Profile profile;
    profile.phase("only");
    {
      const ops::ProfileScope outer("outer", 0, 0);
      const ops::ProfileScope inner("inner", 0, 0);
      at::ones({1 << 20}).sum();
    }
    profile.phase("");
    table = profile.table(1, 1);
  }
  EXPECT_NE(row_of(table, "only", "outer"), nullptr);
  EXPECT_EQ(row_of(table, "only", "inner"), nullptr);
  EXPECT_EQ(row_of(table, "only", "aten::sum"), nullptr);
  EXPECT_GT(row_of(table, "only", "outer")->at("share").get<double>(), 0.5);
}

// A profile can start after another profile has ended, but not while one is active.
TEST(Profile, OneAtATime) {
  { const Profile first; }
  const Profile profile;
  EXPECT_THROW(Profile second, std::logic_error);
}

}  // namespace
}  // namespace fcm::bench
