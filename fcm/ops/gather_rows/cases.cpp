#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/gather_rows/op.h"
#include "fcm/ops/gather_rows/shared_table.h"

namespace fcm::ops {

at::Tensor SharedTable::indices_NT() const {
  at::Tensor places = at::empty({sequences, tokens}, at::kLong);
  auto place = places.accessor<int64_t, 2>();
  for (int64_t n = 0; n < sequences; ++n) {
    for (int64_t t = 0; t < tokens; ++t) {
      place[n][t] = t < own ? n * own + t : sequences * own + (5 * n + t - own) % table;
    }
  }
  return places;
}

namespace {

OpCase make(std::string name, const SharedTable& sizes, int64_t channels) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{case_values({sizes.rows(), channels}, dtype, seed), sizes.indices_NT()};
  };
  result.run = [](const OpCase::Inputs& in) { return gather_rows(in[0], in[1]); };
  result.reference = [](const OpCase::Inputs& in) { return gather_rows_reference(in[0], in[1]); };
  result.forward_elements = 2.0 * static_cast<double>(sizes.sequences * sizes.tokens * channels);
  return result;
}

}  // namespace

OpCases gather_rows_cases() {
  OpCases all{"gather_rows", {}, {}};
  all.cases.push_back(timed(make("base_decoder_qkv", {32, 49, 196, 196}, 1536)));
  all.cases.push_back(timed(make("base_decoder", {32, 49, 196, 196}, 512)));
  all.cases.push_back(make("several_views", {6, 9, 36, 36}, 24));
  all.cases.push_back(make("unused_rows", {2, 3, 7, 40}, 5));
  all.cases.push_back(make("no_sequences", {0, 3, 7, 9}, 5));
  all.cases.push_back(by_differences(make("small", {3, 2, 5, 4}, 3)));
  return all;
}

}  // namespace fcm::ops
