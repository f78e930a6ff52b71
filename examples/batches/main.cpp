// batches DATA: prints facts about the first three training batches of any data set that --data
// takes. The same seed gives the same images, crops and flips with any number of threads.
#include <fmt/ranges.h>

#include "fcm/base/error.h"
#include "fcm/loader/loader.h"

int main(int argc, char** argv) try {
  namespace loader = fcm::loader;
  if (argc != 2) fcm::fail(fcm::ExitCode::kUsage, "usage: batches DATA");
  loader::Loader batches({.dataset = loader::open_dataset(argv[1], loader::Split::kTrain),
                          .data = {},  // defaults: 224 x 224 crops and flips, as for ImageNet
                          .targets = loader::TargetKind::kLabel,
                          .batch_size = 8,
                          .seed = 1,
                          .threads = 2});
  fmt::print("{} batches per epoch\n", batches.steps_per_epoch());
  for (int step = 0; step < 3; ++step) {
    const loader::Batch batch = batches.next();  // pixels_BHWC: uint8 [8, 224, 224, 3]
    fmt::print("{} bytes, samples {}, labels {}\n", batch.pixels_BHWC.size(), batch.sample_ids,
               batch.targets.labels());
  }
  return 0;
} catch (const fcm::Error& error) {
  fmt::print(stderr, "batches: {}\n", error.what());
  return static_cast<int>(error.code());
}
