#include "fcm/encoder/options.h"

#include "fcm/base/error.h"

namespace fcm::encoder {

EncoderOptions named_size(const std::string& name) {
  // Sources: base official; small moreh-dev/FastConvMAE; large as in the released v2 weights;
  // large_paper DMJD; huge a third party's reading of the paper (unverified).
  if (name == "small") return {name, {4, 2, 2}, {128, 256, 384}, {2, 2, 11}, 6, {4, 4, 4}};
  if (name == "base") return {name, {4, 2, 2}, {256, 384, 768}, {2, 2, 11}, 12, {4, 4, 4}};
  if (name == "large") return {name, {4, 2, 2}, {384, 768, 1024}, {2, 2, 20}, 16, {4, 4, 4}};
  if (name == "large_paper") return {name, {4, 2, 2}, {384, 768, 1024}, {2, 2, 23}, 16, {8, 8, 4}};
  if (name == "huge") return {name, {4, 2, 2}, {768, 1024, 1280}, {2, 2, 31}, 16, {8, 8, 4}};
  fail(ExitCode::kUsage,
       "encoder.size = \"{}\" is not a known size; take custom, small, base, large, large_paper or "
       "huge",
       name);
}

}  // namespace fcm::encoder
