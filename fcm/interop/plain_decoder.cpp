#include "fcm/interop/plain_decoder.h"

#include <algorithm>
#include <charconv>

#include "fcm/base/error.h"
#include "fcm/decoder/transformer.h"

namespace fcm::interop {
namespace {

using formats::TensorView;

constexpr std::string_view kPrefix = "decoder_blocks.";
constexpr std::string_view kPixels = "reconstructors.rgb.";

// The offset of the upstream name, after "exp_avg." or "exp_avg_sq.".
size_t published_part(const std::string& name) {
  for (const std::string_view moment : {"exp_avg.", "exp_avg_sq."}) {
    if (name.starts_with(moment)) return moment.size();
  }
  return 0;
}

// The number of a decoder block and the rest of the name; -1: another tensor.
struct Place {
  int64_t block = -1;
  std::string rest;
};
Place place_of(std::string_view published) {
  Place place;
  if (!published.starts_with(kPrefix)) return place;
  published.remove_prefix(kPrefix.size());
  const char* end = published.data() + published.size();
  const auto [stop, error] = std::from_chars(published.data(), end, place.block);
  if (error != std::errc()) return {};
  place.rest.assign(stop, end);  // ".mlp.fc1.weight"
  return place;
}

std::string renamed(const std::string& published, int64_t shared) {
  const std::string pixels(kPixels);
  for (const std::string_view head : {"norm.", "pred."}) {
    const std::string plain = "decoder_" + std::string(head);
    if (published.starts_with(plain)) {
      return pixels + std::string(head) + published.substr(plain.size());
    }
  }
  const Place place = place_of(published);
  if (place.block < shared) return published;
  return pixels + "blocks." + std::to_string(place.block - shared) + place.rest;
}

}  // namespace

void split_plain_decoder(std::vector<formats::TensorView>& tensors, const recipe::Recipe& recipe,
                         const std::string& source) {
  const size_t targets = recipe.pretrain().targets.reconstructed().size();
  const bool plain =
      std::any_of(tensors.begin(), tensors.end(), [](const formats::TensorView& tensor) {
        return tensor.name.substr(published_part(tensor.name)).starts_with("decoder_pred.");
      });
  if (targets < 2 || !plain) return;
  if (recipe.pretrain().targets.rgb == 0) {
    fail(ExitCode::kUsage,
         "{} has a decoder of pixels, but targets.rgb = 0; give it a weight to continue from it",
         source);
  }
  int64_t blocks = 0;
  for (const formats::TensorView& tensor : tensors) {
    blocks = std::max(
        blocks,
        1 + place_of(std::string_view(tensor.name).substr(published_part(tensor.name))).block);
  }
  const int64_t shared = decoder::shared_blocks(recipe.pretrain().decoder, targets);
  const int64_t own = recipe.pretrain().decoder.independent_blocks;
  if (blocks != shared + own) {
    fail(ExitCode::kUsage,
         "{} has {} decoder blocks, but decoder.depth = {} gives pixels {} shared ones and {} of "
         "their own; set decoder.depth = {}",
         source, blocks, recipe.pretrain().decoder.depth, shared, own,
         blocks + (static_cast<int64_t>(targets) - 1) * own);
  }
  for (formats::TensorView& tensor : tensors) {
    const size_t begin = published_part(tensor.name);
    tensor.name = tensor.name.substr(0, begin) + renamed(tensor.name.substr(begin), shared);
  }
}

}  // namespace fcm::interop
