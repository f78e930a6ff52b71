// encoder CHECKPOINT IMAGE: computes the tokens of an image with a pretrained encoder. CHECKPOINT
// is a run folder of fastconvmae, or weights of the upstream programs, of timm or of Hugging Face.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/image/image.h"
#include "fcm/models/inputs.h"
#include "fcm/tasks/trained_model.h"

// The whole image, resized to the training size of the network: uint8 [1, H, W, C].
at::Tensor read_image(const std::string& path, const fcm::loader::DataOptions& data) {
  namespace image = fcm::image;
  const std::string file = fcm::read_file(path, fcm::ExitCode::kData);
  const image::Image original =
      image::decode({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, data.channels);
  const int64_t rows = data.image_size[0], cols = data.image_size[1];
  at::Tensor pixels_1HWC = at::empty({1, rows, cols, data.channels}, at::kByte);
  image::crop_resize(original, {0, 0, original.rows, original.cols}, rows, cols,
                     image::Interpolation::kBicubic, false, pixels_1HWC.data_ptr<uint8_t>());
  return pixels_1HWC;
}

int main(int argc, char** argv) try {
  if (argc != 3) fcm::fail(fcm::ExitCode::kUsage, "usage: encoder CHECKPOINT IMAGE");
  const at::NoGradGuard no_grad;
  fcm::SilentReporter reporter;
  const auto trained = fcm::tasks::load_trained_model(
      {.path = argv[1], .set = {}, .allow_missing = {}}, fcm::tasks::ModelUse::kFeatures, reporter);
  const fcm::models::MaskedAutoencoder& model = *trained.model;
  const auto plan = fcm::masks::full_plan(1, model.grid());  // all patches, raster order
  const at::Tensor pixels = fcm::models::pixels_of(read_image(argv[2], trained.recipe.data), plan,
                                                   model.geometry(), trained.recipe.data);
  const at::Tensor tokens_LC = model.encode(pixels, plan, at::kFloat).latent_BKC[0];
  const at::Tensor mean_C = tokens_LC.mean(0);
  fmt::print("{} tokens of width {}; norm of their mean: {:.4f}\n", tokens_LC.size(0),
             tokens_LC.size(1), mean_C.norm().item<float>());
  return 0;
} catch (const fcm::Error& error) {
  fmt::print(stderr, "encoder: {}\n", error.what());
  return static_cast<int>(error.code());
}
