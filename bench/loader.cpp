// Speed of the loader, compared with plain decoding of the same images in the same run.
#include "fcm/loader/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "bench/bench.h"
#include "fcm/base/error.h"
#include "fcm/base/stats.h"
#include "fcm/base/stopwatch.h"
#include "fcm/image/image.h"
#include "fcm/loader/sources/encoded.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/segmentation_sheets.h"

namespace fcm::bench {
namespace {

constexpr int kSlices = 5;
constexpr int64_t kBatch = 32;
constexpr uint64_t kSeed = 0;

// Seconds that one thread spends on its images, by stage.
struct Stages {
  double read = 0, decode = 0, resize = 0;
  double plain_decode = 0;  // decoding the whole image, which the loader of pretraining avoids
  int64_t images = 0;

  Stages& operator+=(const Stages& other) {
    read += other.read, decode += other.decode, resize += other.resize,
        plain_decode += other.plain_decode;
    images += other.images;
    return *this;
  }
};

class LoaderBench {
 public:
  // `request`: the loader's request. Without pipeline and jitter the images get the published
  // transform of pretraining.
  LoaderBench(loader::LoaderRequest request, int64_t threads)
      : request_(std::move(request)),
        dataset_(request_.dataset),
        encoded_(dynamic_cast<const loader::EncodedDataset*>(dataset_.get())),
        threads_(threads),
        batch_(std::min(kBatch, dataset_->size())) {}

  int64_t images() const { return dataset_->size(); }
  bool is_encoded() const { return encoded_ != nullptr; }
  bool has_stages() const { return !request_.pipeline && !request_.jitter; }

  // Images per second of the loader. Continues where the last call stopped.
  double loader_speed(double seconds) {
    loader::LoaderRequest request = request_;
    request.batch_size = batch_;
    request.seed = kSeed;
    request.threads = threads_;
    request.first_step = loader_step_;
    loader::Loader loader(std::move(request));
    // Batches taken before the measurement, so that as many images are in flight at its start as at
    // its end.
    constexpr int64_t kFill = 3;
    for (int64_t i = 0; i < kFill; ++i) loader.next();
    const Stopwatch watch;
    int64_t batches = 0;
    double passed = 0;
    for (; passed < seconds; passed = watch.seconds(), ++batches) loader.next();
    loader_step_ += kFill + batches;
    return static_cast<double>(batches * batch_) / passed;
  }

  // Times two things on single images, with as many threads as the loader has: the loader's stages,
  // and decoding the whole image (of encoded files). With maps or objects, only reading and
  // decoding the whole image are timed.
  Stages stages(double seconds) {
    std::vector<Stages> of_thread(static_cast<size_t>(threads_));
    {
      std::vector<std::jthread> workers;
      for (int64_t t = 0; t < threads_; ++t) {
        workers.emplace_back([this, t, seconds, &of_thread] {
          const Stopwatch watch;
          Stages& sum = of_thread[static_cast<size_t>(t)];
          for (int64_t i = 0; watch.seconds() < seconds; ++i)
            time_image(next_stage_index_ + t + i * threads_, sum);
        });
      }
    }
    Stages all;
    for (const Stages& one : of_thread) all += one;
    next_stage_index_ += all.images;
    return all;
  }

 private:
  // Image number `index` of an endless pass over the data set.
  void time_image(int64_t index, Stages& sum) const {
    const int64_t sample = index % dataset_->size();
    std::vector<uint8_t> out(
        static_cast<size_t>(options_.image_size[0] * options_.image_size[1] * options_.channels));
    loader::Crop crop;
    const auto choose = [&](int64_t rows, int64_t cols) {
      crop = loader::random_crop(rows, cols, options_, kSeed,
                                 static_cast<uint64_t>(index / dataset_->size()),
                                 static_cast<uint64_t>(sample));
      return crop.box;
    };
    try {
      Stages one;
      Stopwatch watch;
      const auto lap = [&](double& stage) {
        stage = watch.seconds();
        watch.restart();
      };
      image::Section section;
      if (encoded_ != nullptr) {
        const std::string file = encoded_->read(sample);
        const std::span bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
        lap(one.read);
        image::decode(bytes, options_.channels);
        lap(one.plain_decode);
        if (!has_stages()) {
          one.images = 1;
          sum += one;
          return;
        }
        section = image::decode_section(bytes, options_.channels, choose);
      } else {
        section = dataset_->get_section(sample, options_.channels, choose);
      }
      lap(one.decode);
      image::crop_resize(section.image, section.box, options_.image_size[0], options_.image_size[1],
                         image::Interpolation::kBicubic, crop.mirror, out.data());
      lap(one.resize);
      one.images = 1;
      sum += one;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;  // the loader counts bad images
    }
  }

  const loader::LoaderRequest request_;
  std::shared_ptr<const loader::Dataset> dataset_;
  const loader::EncodedDataset* encoded_;  // nullptr: the images are not encoded files
  const loader::DataOptions options_;      // the published transform
  int64_t threads_;
  int64_t batch_;
  int64_t loader_step_ = 0;
  int64_t next_stage_index_ = 0;
};

loader::LoaderRequest asked_for(const BenchLoaderRequest& request, Reporter& reporter) {
  loader::LoaderRequest asked;
  constexpr loader::Split kTrain = loader::Split::kTrain;
  if (!request.recipe) {
    asked.dataset = tasks::open_images(request.data, kTrain, request.machine, reporter);
    return asked;
  }
  const recipe::Recipe& recipe = *request.recipe;
  if (recipe.is<recipe::Detect>()) {
    asked.dataset = tasks::open_instances(request.data, kTrain, request.machine, reporter);
    asked.data = recipe.data;
    asked.targets = loader::TargetKind::kInstances;
    asked.jitter = recipe.detect().jitter;
    return asked;
  }
  if (!recipe.is<recipe::Segment>()) {
    fail(ExitCode::kUsage,
         "bench loader: --recipe takes recipes of segmentation or detection, and {} is neither",
         recipe.row.name);
  }
  asked.dataset = tasks::open_mapped(request.data, kTrain, request.machine, reporter);
  asked.data = recipe.data;
  asked.targets = loader::TargetKind::kMap;
  asked.pipeline = recipe.segment().pipeline;
  asked.classes = tasks::classes_of_maps(recipe, *asked.dataset, request.data);
  return asked;
}

}  // namespace

nlohmann::json bench_loader(const BenchLoaderRequest& request, Reporter& reporter) {
  const int64_t threads = tasks::set_up_machine(request.machine);
  LoaderBench bench(asked_for(request, reporter), threads);
  std::vector<double> speeds, plain, ratios;
  Stages all;
  const bool times_stages = bench.has_stages() || bench.is_encoded();
  const double slice = request.seconds / (2 * kSlices);
  if (times_stages) bench.stages(slice);  // warm-up, not counted
  for (int round = 0; round < kSlices; ++round) {
    reporter.progress(fmt::format("bench loader: round {} of {}", round + 1, kSlices));
    speeds.push_back(bench.loader_speed(slice) / static_cast<double>(threads));
    if (!times_stages) continue;
    const Stages now = bench.stages(slice);
    if (now.images == 0) fail(ExitCode::kData, "{}: no image could be read", request.data);
    all += now;
    plain.push_back(static_cast<double>(now.images) / now.plain_decode);
    ratios.push_back(speeds.back() / plain.back());
  }
  const double per_image = 1000 / static_cast<double>(std::max<int64_t>(all.images, 1));
  const Spread of_rounds = spread_of(speeds);
  nlohmann::json result = {
      {"images_per_second", of_rounds.median * static_cast<double>(threads)},
      {"images_per_second_per_thread", of_rounds.median},
      {"threads", threads},
      {"images", bench.images()},
      {"rounds", {{"per_thread_min", of_rounds.min}, {"per_thread_max", of_rounds.max}}}};
  if (bench.has_stages()) {
    result["stages_ms"] = {{"decode", all.decode * per_image}, {"resize", all.resize * per_image}};
    if (bench.is_encoded()) result["stages_ms"]["read"] = all.read * per_image;
  }
  if (bench.is_encoded()) {
    result["plain_decode"] = {{"images_per_second_per_thread", median(plain)},
                              {"milliseconds", all.plain_decode * per_image},
                              {"ratio", median(ratios)}};
  }
  return result;
}

}  // namespace fcm::bench
