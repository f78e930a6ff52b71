#include <gtest/gtest.h>

#include "tests/reference/golden.h"

namespace fcm::reference {
namespace {

TEST(Names, BaseHasThePublishedCounts) {
  const auto names = expected_names_and_shapes({});
  int64_t elements = 0;
  for (const auto& [name, shape] : names) {
    int64_t product = 1;
    for (const int64_t size : shape) product *= size;
    elements += product;
  }
  EXPECT_EQ(names.size(), 313u);
  EXPECT_EQ(elements, 115'041'408);
}

TEST(Names, BaseIsThePublishedStateDictInItsOrder) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden files at " << fixture("");
  const nlohmann::json published = read_json("convmae_base_params.json").at("state_dict");
  const auto names = expected_names_and_shapes({});
  ASSERT_EQ(published.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(published[i][0].get<std::string>(), names[i].first);
    EXPECT_EQ(published[i][1].get<std::vector<int64_t>>(), names[i].second) << names[i].first;
  }
}

TEST(Names, BaseVitIsThePublishedStateDictInItsOrder) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden files at " << fixture("");
  ReferenceOptions options;
  options.kind = Kind::kVit;
  options.strides = {16};
  options.dims = {768};
  options.depths = {12};
  options.mlp_ratios = {4};
  const nlohmann::json published = read_json("mae_vitb_params.json").at("state_dict");
  const auto names = expected_names_and_shapes(options);
  ASSERT_EQ(published.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(published[i][0].get<std::string>(), names[i].first);
    EXPECT_EQ(published[i][1].get<std::vector<int64_t>>(), names[i].second) << names[i].first;
  }
}

TEST(Names, PositionTablesFollowTheImage) {
  ReferenceOptions options;
  options.rows = 96;
  options.cols = 160;
  EXPECT_EQ(expected_names_and_shapes(options)[0].second, (std::vector<int64_t>{1, 60, 768}));
}

}  // namespace
}  // namespace fcm::reference
