// Sums of gradients over ranks while backward runs. Gradients that no rank filled are an error.
#include "fcm/dist/reducer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <utility>
#include <vector>

#include "tests/dist/thread_group.h"

namespace fcm::dist {
namespace {

constexpr int64_t kLayers = 5, kWidth = 8;

// y = x W1 W2 ...; backward fills the gradient of the last weight first.
struct Net {
  at::Tensor values = at::zeros({kLayers * kWidth * kWidth});
  at::Tensor gradients = at::zeros({kLayers * kWidth * kWidth});
  std::vector<GradientSlice> parameters;

  Net() {
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      const int64_t begin = layer * kWidth * kWidth;
      at::Tensor weight = values.narrow(0, begin, kWidth * kWidth).view({kWidth, kWidth}).detach();
      weight.copy_(at::eye(kWidth) + 0.01 * at::arange(kWidth * kWidth).view({kWidth, kWidth}));
      weight.requires_grad_(true);
      weight.mutable_grad() = gradients.narrow(0, begin, kWidth * kWidth).view({kWidth, kWidth});
      parameters.push_back({"layer" + std::to_string(layer), weight});
    }
  }

  // The loss depends on the first `layers` layers.
  void backward(const at::Tensor& x_BC, int64_t layers = kLayers) const {
    at::Tensor y_BC = x_BC;
    for (int64_t layer = 0; layer < layers; ++layer) {
      y_BC = y_BC.mm(parameters[static_cast<size_t>(layer)].leaf);
    }
    torch::autograd::backward({y_BC.sum()}, {});
  }
};

at::Tensor images(int64_t rows) {
  return at::arange(rows * kWidth, at::kFloat).view({rows, kWidth}).div(100);
}

// A group that records the sums that are started, and computes none of them.
class CountingGroup final : public Group {
 public:
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 2; }
  int64_t agree(int64_t mine, Agree) override { return mine; }
  std::unique_ptr<Pending> start_sum(const at::Tensor& values) override {
    sent.push_back(values.storage_offset());
    return std::make_unique<Nothing>();
  }
  std::unique_ptr<Pending> start_sum_of_part(const at::Tensor& values, Part mine) override {
    parts[values.storage_offset()] = mine;
    return start_sum(values);
  }
  std::unique_ptr<Pending> start_broadcast(const at::Tensor&, int64_t) override {
    return std::make_unique<Nothing>();
  }
  std::vector<at::Tensor> gather(const at::Tensor& mine) override { return {mine, mine}; }

  std::vector<int64_t> sent;      // offsets in the buffer
  std::map<int64_t, Part> parts;  // by offset in the buffer: the part of the sum that is needed

 private:
  struct Nothing final : Pending {
    void wait() override {}
  };
};

constexpr int64_t kLayerBytes = kWidth * kWidth * 4;

TEST(Reducer, GivesTheGradientsOfAllRanks) {
  const Net whole;
  whole.backward(images(6));
  for (const int64_t ranks : {2, 3}) {
    test::run_ranks(ranks, [&](Group& group) {
      const std::shared_ptr<Group> shared(&group, [](Group*) {});
      const Net net;
      Reducer reducer(shared, net.gradients, net.parameters, 2 * kLayerBytes);
      EXPECT_EQ(reducer.buckets(), 3);
      const int64_t rows = 6 / ranks;
      const at::Tensor mine = images(6).narrow(0, group.rank() * rows, rows);
      for (int step = 0; step < 3; ++step) {  // the first step records the order of buckets
        net.gradients.zero_();
        reducer.begin_last_pass();
        net.backward(mine);
        std::vector<double> numbers{static_cast<double>(group.rank()), 1};
        reducer.finish(numbers);
        EXPECT_EQ(numbers[0], static_cast<double>(ranks * (ranks - 1) / 2));
        EXPECT_EQ(numbers[1], static_cast<double>(ranks));
        EXPECT_TRUE(net.gradients.allclose(whole.gradients, 1e-5, 1e-5)) << "step " << step;
      }
    });
  }
}

TEST(Reducer, AsksForTheShareOfEachBucket) {
  const auto group = std::make_shared<CountingGroup>();
  const Net net;
  constexpr int64_t kLayer = kWidth * kWidth;
  const Part share{kLayer + 3, 3 * kLayer - 1};  // part of layer 1 and of layer 2
  Reducer reducer(group, net.gradients, net.parameters, kLayerBytes, share);
  std::vector<double> numbers;
  reducer.begin_last_pass();
  net.backward(images(2));
  reducer.finish(numbers);
  std::vector<std::pair<int64_t, int64_t>> wanted(kLayers, {0, 0});
  wanted[1] = {3, kLayer};
  wanted[2] = {0, kLayer - 1};
  ASSERT_EQ(std::ssize(group->parts), kLayers);
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const Part& part = group->parts.at(layer * kLayer);
    EXPECT_EQ(part.size(),
              wanted[static_cast<size_t>(layer)].second - wanted[static_cast<size_t>(layer)].first)
        << layer;
    if (part.size() == 0) continue;
    EXPECT_EQ(part.begin, wanted[static_cast<size_t>(layer)].first) << layer;
  }
}

TEST(Reducer, ReducesOnceForSeveralMicroBatches) {
  const Net whole;
  whole.backward(images(4));
  const auto group = std::make_shared<CountingGroup>();
  const Net net;
  Reducer reducer(group, net.gradients, net.parameters, kLayerBytes);
  std::vector<double> numbers;
  for (int step = 0; step < 2; ++step) {
    net.gradients.zero_();
    group->sent.clear();
    net.backward(images(4).narrow(0, 0, 2));
    EXPECT_TRUE(group->sent.empty());
    reducer.begin_last_pass();
    net.backward(images(4).narrow(0, 2, 2));
    reducer.finish(numbers);
    EXPECT_EQ(std::ssize(group->sent), kLayers + 1);  // each bucket once, then `numbers`
    EXPECT_TRUE(net.gradients.allclose(whole.gradients));
  }
}

TEST(Reducer, SendsABucketWhenBackwardHasFilledIt) {
  const auto group = std::make_shared<CountingGroup>();
  const Net net;
  Reducer reducer(group, net.gradients, net.parameters, kLayerBytes);
  std::vector<double> numbers;
  reducer.begin_last_pass();
  net.backward(images(2));
  EXPECT_TRUE(group->sent.empty());  // the first step does not know the order of buckets yet
  reducer.finish(numbers);
  group->sent.clear();
  reducer.begin_last_pass();
  net.backward(images(2));
  std::vector<int64_t> order;
  for (int64_t layer = kLayers; layer-- > 0;) order.push_back(layer * kWidth * kWidth);
  EXPECT_EQ(group->sent, order);  // all buckets before finish()
  reducer.finish(numbers);
}

TEST(Reducer, RefusesAGradientThatNoRankFilled) {
  test::run_ranks(2, [&](Group& group) {
    const std::shared_ptr<Group> shared(&group, [](Group*) {});
    const Net net;
    Reducer reducer(shared, net.gradients, net.parameters, kLayerBytes);
    const auto step = [&](int64_t layers) {
      std::vector<double> numbers;
      reducer.begin_last_pass();
      net.backward(images(2), layers);
      reducer.finish(numbers);
    };
    step(kLayers);
    step(group.rank() == 0 ? kLayers : kLayers - 1);  // it is enough that one rank fills it
    try {
      step(kLayers - 1);
      ADD_FAILURE() << "a gradient that no rank filled was accepted";
    } catch (const std::logic_error& error) {
      EXPECT_NE(std::string(error.what()).find("no rank filled the gradient of layer4"),
                std::string::npos)
          << error.what();
    }
  });
}

TEST(Reducer, LeavesTheParametersAsTheyWere) {
  const auto group = std::make_shared<CountingGroup>();
  const Net net;
  { const Reducer reducer(group, net.gradients, net.parameters); }
  net.backward(images(2));  // the reducer is destroyed, so its hooks must be gone
  EXPECT_TRUE(net.gradients.ne(0).any().item<bool>());
}

}  // namespace
}  // namespace fcm::dist
