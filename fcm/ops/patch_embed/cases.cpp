#include "fcm/ops/cases.h"

#include <utility>

#include "fcm/ops/branches/norm_product_case.h"
#include "fcm/ops/patch_embed/op.h"

namespace fcm::ops {
namespace {

OpCase make(std::string name, const std::vector<int64_t>& sizes, int64_t outputs) {
  return norm_product_case(std::move(name), sizes, outputs, outputs, patch_embed,
                           patch_embed_reference);
}

}  // namespace

OpCases patch_embed_cases() {
  OpCases all{"patch_embed", {}, {}};
  all.cases.push_back(timed(make("base_first", {2, 196, 16, 48}, 256)));
  all.cases.push_back(timed(make("base_third", {8, 196, 1536}, 768)));
  all.cases.push_back(make("no_elements", {0, 4}, 16));
  all.cases.push_back(by_differences(make("product_saved", {3, 5, 13}, 11)));
  all.cases.push_back(by_differences(make("product_recomputed", {3, 2, 3}, 14)));
  return all;
}

}  // namespace fcm::ops
