// The state_dict that is written for the base segmenters has the names and shapes of the upstream
// ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fcm/formats/pth.h"
#include "fcm/interop/mmseg.h"
#include "fcm/models/segmenter.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/recipe/setup.h"
#include "tests/support/crash.h"

namespace fcm::interop {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const fs::path kStoredBases = fs::path(FCM_SOURCE_DIR) / "../shared/goldens/segmentation";

// Views with the names and shapes of a model's tensors, all of the same zero bytes: tests compare
// no values, and tensors of one size share a storage in the file.
class Shadow {
 public:
  explicit Shadow(const nn::Parameters& parameters) {
    size_t most = 0;
    for (const nn::Parameter& parameter : parameters.all()) {
      sizes_.push_back(static_cast<size_t>(parameter.value.numel()) * sizeof(float));
      most = std::max(most, sizes_.back());
    }
    zeros_.resize(most);
    for (size_t i = 0; i < sizes_.size(); ++i) {
      const nn::Parameter& parameter = parameters.all()[i];
      views_.push_back({parameter.name, "F32", parameter.published_shape,
                        std::span<const std::byte>(zeros_).first(sizes_[i])});
    }
  }
  const std::vector<formats::TensorView>& views() const { return views_; }

 private:
  std::vector<size_t> sizes_;
  std::vector<std::byte> zeros_;
  std::vector<formats::TensorView> views_;
};

class BaseSegmenter : public test::TemporaryFolderTest {
 protected:
  void SetUp() override {
    if (!fs::exists(kStoredBases)) GTEST_SKIP() << "no ../shared/goldens beside the checkout";
  }
  static json read_stored(const char* file) {
    std::ifstream stream(kStoredBases / file);
    return json::parse(stream);
  }
  // [name, shape] of all written tensors; the names of int64 tensors go to integers_.
  json written(const char* recipe_name) {
    const recipe::Recipe recipe =
        recipe::load_recipe(recipe_name, {fs::path(FCM_SOURCE_DIR) / "recipes"}, {});
    const models::Segmenter model(recipe::segmenter_options(recipe, 150), 0);
    trained_ = 0;
    for (const nn::Parameter& parameter : model.parameters().all()) {
      if (parameter.trainable) trained_ += parameter.value.numel();
    }
    const Shadow shadow(model.parameters());
    MmsegFile content;
    content.model = shadow.views();
    content.rows = content.cols = 32;
    write_mmseg(folder_ / "base.pth", content);
    const formats::PthFile file = formats::read_pth(folder_ / "base.pth");
    json list = json::array();
    for (const auto& [key, value] :
         std::get<formats::Value::Dict>(file.root.find("state_dict")->data).items) {
      const formats::TensorView& tensor =
          file.tensors.at(std::get<formats::Value::Tensor>(value.data).index);
      list.push_back({std::get<std::string>(key.data), tensor.shape});
      if (tensor.dtype == "I64") integers_.push_back(std::get<std::string>(key.data));
    }
    return list;
  }
  int64_t trained_ = 0;
  std::vector<std::string> integers_;
};

TEST_F(BaseSegmenter, OfConvMaeIsThePublishedStateDict) {
  const json published = read_stored("base_params.json");
  json expected = json::array();
  std::vector<std::string> integers;
  for (const json& entry : published.at("state_dict")) {
    expected.push_back({entry[0], entry[1]});
    if (entry[2] == "int64") integers.push_back(entry[0]);
  }
  const json found = written("upernet_convvit_base_ade20k_160k");
  EXPECT_EQ(found, expected);
  EXPECT_EQ(integers_, integers);
  EXPECT_EQ(trained_, published.at("parameters").get<int64_t>());
}

TEST_F(BaseSegmenter, OfMaeIsThePublishedStateDict) {
  const json published = read_stored("mae_base_groups.json");
  const json found = written("upernet_vit_base_ade20k_160k");
  EXPECT_EQ(found, published.at("state_dict"));
  EXPECT_EQ(trained_, published.at("parameters").get<int64_t>());
  EXPECT_NE(found, read_stored("base_params.json").at("state_dict"))
      << "negative control: the other segmenter's state_dict";
}

}  // namespace
}  // namespace fcm::interop
