#include "fcm/eval/knn.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "fcm/base/error.h"
#include "tests/eval/fashion_mnist.h"
#include "tests/eval/synthetic.h"

namespace fcm::eval {
namespace {

// The definition in plain loops: unit vectors in float32, and their inner products in float64. All
// products are summed in the same order, so that equal features have equal cosines. A library's
// matrix product may sum different rows in different orders.
class Definition {
 public:
  Definition(const at::Tensor& bank_ND, const at::Tensor& queries_MD)
      : width_(bank_ND.size(1)),
        count_(bank_ND.size(0)),
        bank_DN_(unit_rows(bank_ND).t().contiguous()),
        queries_MD_(unit_rows(queries_MD)) {}

  // Cosines of one query with the whole bank.
  std::vector<double> cosines(int64_t query) const {
    std::vector<double> sums(static_cast<size_t>(count_));
    const double* const values = queries_MD_.const_data_ptr<double>() + query * width_;
    for (int64_t i = 0; i < width_; ++i) {
      const double* const others = bank_DN_.const_data_ptr<double>() + i * count_;
      for (size_t place = 0; place < sums.size(); ++place) sums[place] += values[i] * others[place];
    }
    return sums;
  }

  // The indices of the k largest cosines; of equal cosines the first ones.
  static std::vector<int64_t> nearest(const std::vector<double>& cosines, size_t k) {
    std::vector<int64_t> places(cosines.size());
    std::iota(places.begin(), places.end(), 0);
    std::stable_sort(places.begin(), places.end(), [&](int64_t a, int64_t b) {
      return cosines[static_cast<size_t>(a)] > cosines[static_cast<size_t>(b)];
    });
    places.resize(std::min(k, places.size()));
    return places;
  }

 private:
  static at::Tensor unit_rows(const at::Tensor& features) {
    at::Tensor unit = features.to(at::kDouble).contiguous().clone();
    const int64_t width = unit.size(1);
    for (int64_t row = 0; row < unit.size(0); ++row) {
      double* const values = unit.mutable_data_ptr<double>() + row * width;
      double squares = 0;
      for (int64_t i = 0; i < width; ++i) squares += values[i] * values[i];
      const double factor = 1 / std::sqrt(squares);
      for (int64_t i = 0; i < width; ++i) values[i] = static_cast<float>(values[i] * factor);
    }
    return unit;
  }

  int64_t width_, count_;
  at::Tensor bank_DN_, queries_MD_;  // float64
};

// The kNN result by the definition, one query at a time.
KnnResult brute_force(const Gaussians& bank, const Gaussians& queries, int64_t classes,
                      const KnnOptions& options) {
  const Definition definition(bank.features_ND, queries.features_ND);
  const int64_t count = queries.features_ND.size(0);
  int64_t first = 0, five = 0;
  for (int64_t query = 0; query < count; ++query) {
    const std::vector<double> cosines = definition.cosines(query);
    std::vector<double> votes(static_cast<size_t>(classes));
    for (const int64_t place : Definition::nearest(cosines, static_cast<size_t>(options.k))) {
      votes[static_cast<size_t>(bank.labels_N[place].item<int64_t>())] +=
          std::exp(cosines[static_cast<size_t>(place)] / options.temperature);
    }
    const auto label = static_cast<size_t>(queries.labels_N[query].item<int64_t>());
    int64_t ahead = 0;
    for (const double other : votes) ahead += other > votes[label] ? 1 : 0;
    first += votes[label] > 0 && ahead < 1 ? 1 : 0;
    five += votes[label] > 0 && ahead < 5 ? 1 : 0;
  }
  const auto percent = [&](int64_t hits) {
    return 100.0 * static_cast<double>(hits) / static_cast<double>(count);
  };
  return {percent(first), percent(five), count};
}

KnnResult run_knn(const Gaussians& bank, const Gaussians& queries, int64_t classes,
                  const KnnOptions& options = {}) {
  return knn(bank.features_ND, bank.labels_N, queries.features_ND, queries.labels_N, classes,
             options);
}

TEST(Knn, IsTheDefinitionOnOverlappingClouds) {
  const at::Tensor centers_CD = normal_numbers({8, 12}, 1) * 0.7;
  const Gaussians bank = gaussians(centers_CD, 600, 2), queries = gaussians(centers_CD, 300, 3);
  for (const KnnOptions options : {KnnOptions{20, 0.07}, KnnOptions{1, 0.07}, KnnOptions{7, 1.0}}) {
    const KnnResult expected = brute_force(bank, queries, 8, options);
    const KnnResult got = run_knn(bank, queries, 8, options);
    EXPECT_DOUBLE_EQ(got.top1, expected.top1) << options.k;
    EXPECT_DOUBLE_EQ(got.top5, expected.top5) << options.k;
    EXPECT_EQ(got.images, 300);
    EXPECT_GT(got.top1, 30);
    EXPECT_LT(got.top1, 95);
  }
}

std::vector<std::vector<int64_t>> places_by_definition(const at::Tensor& bank_ND,
                                                       const at::Tensor& queries_MD, size_t k) {
  const Definition definition(bank_ND, queries_MD);
  std::vector<std::vector<int64_t>> result;
  for (int64_t query = 0; query < queries_MD.size(0); ++query) {
    result.push_back(Definition::nearest(definition.cosines(query), k));
  }
  return result;
}

struct Found {
  std::vector<std::vector<int64_t>> places;
  std::vector<double> similarities;
};

// Searches with the bank added in blocks of `rows` rows.
Found found_in_blocks(const Gaussians& bank, const at::Tensor& queries_MD, int64_t k, int64_t rows,
                      int threads) {
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  NeighbourSearch search(queries_MD, k);
  for (int64_t first = 0; first < bank.features_ND.size(0); first += rows) {
    const int64_t count = std::min(rows, bank.features_ND.size(0) - first);
    search.add(bank.features_ND.narrow(0, first, count), bank.labels_N.narrow(0, first, count));
  }
  Found found;
  for (const auto& neighbours : search.nearest()) {
    found.places.emplace_back();
    for (const Neighbour& neighbour : neighbours) {
      EXPECT_EQ(neighbour.label, bank.labels_N[neighbour.row].item<int64_t>());
      found.places.back().push_back(neighbour.row);
      found.similarities.push_back(neighbour.similarity);
    }
  }
  at::set_num_threads(before);
  return found;
}

// A bank whose cosines differ only in the last digits of float32. It holds every feature four
// times, once scaled by 2.
Gaussians hard_bank(int64_t count, int64_t width) {
  Gaussians bank = gaussians(at::full({3, width}, 300.0F), count / 4, 2);
  bank.features_ND = bank.features_ND.repeat({4, 1});
  bank.features_ND.narrow(0, 0, count / 4).mul_(2);
  bank.labels_N = at::arange(bank.features_ND.size(0)).remainder(3);
  return bank;
}

TEST(NeighbourSearch, TheDefinitionGivesEqualFeaturesEqualCosines) {
  for (const int64_t width : {5, 67, 2500}) {
    const Gaussians bank = hard_bank(400, width);
    const Definition definition(bank.features_ND,
                                gaussians(at::full({3, width}, 300.0F), 20, 3).features_ND);
    for (int64_t query = 0; query < 20; ++query) {
      const std::vector<double> cosines = definition.cosines(query);
      for (size_t place = 100; place < 400; ++place) {
        ASSERT_EQ(cosines[place], cosines[place % 100]) << width << ": query " << query;
      }
    }
  }
}

TEST(NeighbourSearch, BlocksAndThreadsChangeNothingAndTheDefinitionHolds) {
  for (const int64_t width : {5, 67, 2500}) {  // 2500 takes three slices of the width
    const Gaussians bank = hard_bank(400, width);
    const at::Tensor queries_MD = gaussians(at::full({3, width}, 300.0F), 20, 3).features_ND;
    const auto expected = places_by_definition(bank.features_ND, queries_MD, 20);
    const Found whole = found_in_blocks(bank, queries_MD, 20, 400, 1);
    EXPECT_EQ(whole.places, expected) << width;
    for (const int64_t rows : {1, 7, 64, 399}) {
      for (const int threads : {1, 3}) {
        const Found other = found_in_blocks(bank, queries_MD, 20, rows, threads);
        EXPECT_EQ(other.places, whole.places) << width << ": blocks of " << rows;
        EXPECT_EQ(other.similarities, whole.similarities) << width << ": blocks of " << rows;
      }
    }
  }
}

// Negative control: the comparison above detects a search in float32 alone, and a reversed order of
// equal features.
TEST(NeighbourSearch, TheComparisonNoticesPlantedMistakes) {
  const Gaussians bank = hard_bank(2000, 67);
  const at::Tensor queries_MD = gaussians(at::full({3, 67}, 300.0F), 50, 3).features_ND;
  const auto expected = places_by_definition(bank.features_ND, queries_MD, 20);
  const auto unit = [](const at::Tensor& x) { return x / x.norm(2, {1}, true); };
  const at::Tensor float32_cosines = at::mm(unit(queries_MD), unit(bank.features_ND).t());
  const at::Tensor order =
      std::get<1>(float32_cosines.sort(/*stable=*/true, 1, /*descending=*/true));
  int64_t differ = 0;
  for (int64_t query = 0; query < 50; ++query) {
    for (int64_t i = 0; i < 20; ++i) {
      differ += order[query][i].item<int64_t>() !=
                expected[static_cast<size_t>(query)][static_cast<size_t>(i)];
    }
  }
  EXPECT_GT(differ, 20);
  const auto turned = places_by_definition(bank.features_ND.flip(0), queries_MD, 20);
  EXPECT_NE(turned[0][0], 1999 - expected[0][0]);
}

// Bank and queries are larger than one internal block each.
TEST(Knn, BlocksJoinWithoutASeam) {
  const at::Tensor centers_CD = normal_numbers({6, 5}, 1) * 0.8;
  const Gaussians bank = gaussians(centers_CD, 9001, 2), queries = gaussians(centers_CD, 1100, 3);
  const KnnResult whole = run_knn(bank, queries, 6);
  const KnnResult expected = brute_force(bank, queries, 6, {});
  EXPECT_DOUBLE_EQ(whole.top1, expected.top1);
  EXPECT_DOUBLE_EQ(whole.top5, expected.top5);
  EXPECT_EQ(found_in_blocks(bank, queries.features_ND, 20, 9001, 2).places,
            places_by_definition(bank.features_ND, queries.features_ND, 20));
}

TEST(Knn, OfEqualNeighboursTheFirstIsNearest) {
  Gaussians bank{at::ones({9000, 3}), at::zeros({9000}, at::kLong)};
  bank.labels_N[0] = 1;
  const Gaussians query{at::ones({1, 3}), at::ones({1}, at::kLong)};
  EXPECT_EQ(run_knn(bank, query, 2, {1, 0.07}).top1, 100);
  EXPECT_EQ(run_knn(bank, query, 2, {3, 0.07}).top1, 0);
}

TEST(Knn, LengthsDoNotMatterAndASmallBankVotesAsAWhole) {
  const at::Tensor centers_CD = normal_numbers({3, 6}, 1);
  Gaussians bank = gaussians(centers_CD, 12, 2), queries = gaussians(centers_CD, 60, 3);
  const KnnResult before = run_knn(bank, queries, 3);
  bank.features_ND = bank.features_ND * at::arange(1, 13).unsqueeze(1);
  queries.features_ND = queries.features_ND * 1e-3;
  const KnnResult after = run_knn(bank, queries, 3);
  EXPECT_DOUBLE_EQ(before.top1, after.top1);
  EXPECT_EQ(after.top5, 100);  // three classes
}

TEST(Knn, AClassWithoutVotesIsNeverRight) {
  const Gaussians bank{at::ones({4, 2}), at::full({4}, 7, at::kLong)};
  const Gaussians query{at::ones({1, 2}), at::zeros({1}, at::kLong)};
  EXPECT_EQ(run_knn(bank, query, 8).top5, 0);
}

TEST(Knn, ZerosAndExtremeTemperaturesStayFinite) {
  const Gaussians bank{at::stack({at::zeros({2}), at::ones({2}), at::ones({2}) * -1}),
                       at::arange(3)};
  const Gaussians query{at::ones({1, 2}), at::ones({1}, at::kLong)};
  EXPECT_EQ(run_knn(bank, query, 3, {3, 1e-6}).top1, 100);
}

ExitCode code_of(Gaussians bank, const Gaussians& queries) {
  try {
    run_knn(bank, queries, 3);
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kDone;
}

TEST(Knn, SaysWhatIsWrongWithFeatures) {
  const at::Tensor centers_CD = normal_numbers({3, 4}, 1);
  const Gaussians good = gaussians(centers_CD, 30, 2);
  EXPECT_EQ(code_of(good, good), ExitCode::kDone);
  EXPECT_EQ(code_of({good.features_ND, good.labels_N + 1}, good), ExitCode::kData);
  EXPECT_EQ(code_of({good.features_ND, good.labels_N - 1}, good), ExitCode::kData);
  EXPECT_EQ(code_of({good.features_ND.narrow(0, 0, 9), good.labels_N}, good), ExitCode::kData);
  EXPECT_EQ(code_of({at::empty({0, 4}), at::empty({0}, at::kLong)}, good), ExitCode::kData);
  at::Tensor broken = good.features_ND.clone();
  broken[7][2] = INFINITY;
  EXPECT_EQ(code_of({broken, good.labels_N}, good), ExitCode::kNumeric);
}

TEST(Knn, RawPixelsOfFashionMnist) {
  if (!have_fashion_mnist()) GTEST_SKIP() << "no " << fashion_mnist_folder();
  const Labelled train = fashion_mnist("train", 10000), test = fashion_mnist("t10k", 5000);
  const KnnResult result =
      knn(train.features_ND, train.labels_N, test.features_ND, test.labels_N, 10);
  EXPECT_GT(result.top1, 79);
  EXPECT_LT(result.top1, 82);
  EXPECT_GT(result.top5, 96.5);
  RecordProperty("top1", std::to_string(result.top1));

  // The cosines of raw images are all close to 1, so rounding can change the order of neighbours.
  const at::Tensor few = test.features_ND.narrow(0, 0, 400),
                   labels = test.labels_N.narrow(0, 0, 400);
  const KnnResult expected =
      brute_force({train.features_ND, train.labels_N}, {few, labels}, 10, {});
  const KnnResult got = knn(train.features_ND, train.labels_N, few, labels, 10);
  EXPECT_NEAR(got.top1, expected.top1, 0.26);  // one image
  EXPECT_NEAR(got.top5, expected.top5, 0.26);
  // Negative control: with the labels of other images the accuracy is near chance (10 %).
  EXPECT_LT(knn(train.features_ND, train.labels_N.roll(1), few, labels, 10).top1, 20);
}

}  // namespace
}  // namespace fcm::eval
