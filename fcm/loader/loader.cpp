#include "fcm/loader/loader.h"

#include <limits>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/loader/augment.h"
#include "fcm/loader/bad_image_limits.h"
#include "fcm/loader/frame.h"
#include "fcm/loader/oriented_order.h"
#include "fcm/loader/prefetcher.h"
#include "fcm/loader/scene.h"
#include "fcm/loader/transform.h"

namespace fcm::loader {
namespace {

// Substitutes tried for one bad image. If all of them are bad too, the run ends.
constexpr int kMostSubstitutes = 20;

void need_a_batch(int64_t images, const char* which, int64_t batch_size) {
  if (images >= batch_size) return;
  fail(ExitCode::kData,
       "the data set has {}{}, fewer than one batch of {}; lower optim.batch_size to at most "
       "{}",
       counted(images, "image", "images"), which, batch_size, images);
}

LoaderRequest checked(LoaderRequest request) {
  const int64_t batch_size = request.batch_size;
  require(batch_size > 0, "Loader: expected batch_size of 1 or more, got {}", batch_size);
  need_a_batch(request.dataset->size(), "", batch_size);
  if (batch_size < request.slice.ranks) {
    fail(ExitCode::kUsage,
         "optim.batch_size is {}, which leaves some of {} processes without an image; raise it, "
         "or start at most {} processes",
         batch_size, request.slice.ranks, batch_size);
  }
  check_options(request.data);
  require(
      request.pipeline.has_value() == (request.targets == TargetKind::kMap),
      "Loader: targets of kind {} {} a pipeline; expected kMap with one, or another kind without",
      static_cast<int>(request.targets), request.pipeline ? "with" : "without");
  require(
      request.jitter.has_value() == (request.targets == TargetKind::kInstances),
      "Loader: targets of kind {} {} jitter; expected kInstances with it, or another kind without",
      static_cast<int>(request.targets), request.jitter ? "with" : "without");
  const bool recoloured = !request.augment.rand_augment.empty() || request.augment.color_jitter > 0;
  require((!request.pipeline && !request.jitter) || !recoloured,
          "Loader: expected no rand_augment or color_jitter with scenes or instances");
  return request;
}

std::optional<FrameOptions> frame_options_of(const LoaderRequest& request) {
  if (!request.jitter) return std::nullopt;
  FrameOptions options{request.data, *request.jitter};
  check_frame_options(options);
  return options;
}

std::optional<OrientedOrder> order_of_instances(const LoaderRequest& request) {
  if (!request.jitter) return std::nullopt;
  OrientedOrder order(*request.dataset, request.batch_size, request.seed);
  need_a_batch(order.images(), " with an object to learn from", request.batch_size);
  return order;
}

std::optional<SceneOptions> scene_options_of(const LoaderRequest& request) {
  if (!request.pipeline) return std::nullopt;
  SceneOptions options{request.data, *request.pipeline, request.classes};
  check_scene_options(options);
  return options;
}

}  // namespace

std::vector<int64_t> samples_of_step(int64_t dataset_size, int64_t batch_size, uint64_t seed,
                                     int64_t step, const Slice& slice) {
  require(batch_size > 0 && batch_size <= dataset_size && step >= 0,
          "samples_of_step: step {} of batches of {} from {} images; expected a step from 0, and "
          "a batch of 1 up to the whole set",
          step, batch_size, dataset_size);
  const int64_t steps = dataset_size / batch_size;
  const KeyedPermutation order(static_cast<uint64_t>(dataset_size), seed, Purpose::kOrder,
                               static_cast<uint64_t>(step / steps));
  const Range part = slice.of(batch_size);
  std::vector<int64_t> samples(static_cast<size_t>(part.size()));
  uint64_t place = static_cast<uint64_t>(step % steps * batch_size + part.begin);
  for (int64_t& sample : samples) sample = static_cast<int64_t>(order(place++));
  return samples;
}

class Loader::Impl {
 public:
  explicit Impl(LoaderRequest request)
      : request_(checked(std::move(request))),
        augmenter_(request_.data, request_.augment),
        scenes_(scene_options_of(request_)),
        frames_(frame_options_of(request_)),
        order_(order_of_instances(request_)),
        part_(request_.slice.of(request_.batch_size)),
        limits_(request_.data, steps_per_epoch() * part_.size()) {
    prefetcher_.emplace(BatchWork{[this](int64_t step) { return prepare(step); },
                                  [this](Batch& batch, int64_t i) { return fill(batch, i); }},
                        request_.threads, request_.first_step, std::numeric_limits<int64_t>::max());
  }

  Batch next() {
    Batch batch = prefetcher_->next().value();
    for (const BadSample& bad : batch.bad) {
      if (bad.substitute >= 0) continue;
      fail(ExitCode::kData, "{} cannot be read, nor can {} substitutes drawn for it: {}",
           dataset().name(bad.sample), kMostSubstitutes, bad.reason);
    }
    limits_.count(batch);
    return batch;
  }

  int64_t steps_per_epoch() const {
    return (order_ ? order_->images() : dataset().size()) / request_.batch_size;
  }

 private:
  const Dataset& dataset() const { return *request_.dataset; }

  Batch prepare(int64_t step) const {
    Batch batch;
    batch.batch = part_.size();
    batch.first = part_.begin;
    batch.global_batch = request_.batch_size;
    batch.rows = request_.data.image_size[0];
    batch.cols = request_.data.image_size[1];
    batch.channels = request_.data.channels;
    batch.epoch = step / steps_per_epoch();
    choose_samples(batch, step);
    batch.targets = Targets(request_.targets, batch.batch, batch.rows, batch.cols);
    if (scenes_) batch.extents.resize(static_cast<size_t>(batch.batch));
    batch.pixels_BHWC.resize(
        static_cast<size_t>(batch.batch * batch.rows * batch.cols * batch.channels));
    return batch;
  }

  void choose_samples(Batch& batch, int64_t step) const {
    if (!order_) {
      batch.sample_ids = samples_of_step(dataset().size(), request_.batch_size, request_.seed, step,
                                         request_.slice);
      return;
    }
    for (const auto& [sample, earlier_uses] : order_->of_step(step, request_.slice)) {
      batch.sample_ids.push_back(sample);
      batch.sample_epochs.push_back(earlier_uses);
    }
  }

  // Writes image `source` to slot i of the batch, with the crop of that slot's sample.
  void fill_slot(Batch& batch, int64_t i, int64_t source) const {
    const int64_t bytes = batch.rows * batch.cols * batch.channels;
    const auto epoch = static_cast<uint64_t>(batch.epoch);
    const auto sample = static_cast<uint64_t>(batch.sample_ids[static_cast<size_t>(i)]);
    uint8_t* const pixels = batch.pixels_BHWC.data() + i * bytes;
    if (scenes_) return fill_scene_slot(batch, i, source, pixels);
    if (frames_) return fill_frame_slot(batch, i, source, pixels);
    read_for_training(dataset(), source, request_.data, request_.seed, epoch, sample, pixels,
                      request_.augment.crop_once);
    augmenter_.apply(pixels, request_.seed, epoch, sample);
    static_assert(std::variant_size_v<Target> == 4,
                  "a target with positions must be transformed with the crop and the flip");
    batch.targets.set(i, dataset().target(source, request_.targets));
  }

  // As fill_slot(), for an image with a class map.
  void fill_scene_slot(Batch& batch, int64_t i, int64_t source, uint8_t* pixels) const {
    const SceneDraws draws =
        draw_scene(*scenes_, request_.seed, static_cast<uint64_t>(batch.epoch),
                   static_cast<uint64_t>(batch.sample_ids[static_cast<size_t>(i)]));
    ClassMap map;
    batch.extents[static_cast<size_t>(i)] =
        read_scene_for_training(dataset(), source, *scenes_, draws, pixels, map);
    batch.targets.set(i, std::move(map));
  }

  // As fill_slot(), for an image with instances.
  void fill_frame_slot(Batch& batch, int64_t i, int64_t source, uint8_t* pixels) const {
    const auto at = static_cast<size_t>(i);
    const FrameDraws draws =
        draw_frame(*frames_, request_.seed, static_cast<uint64_t>(batch.sample_epochs[at]),
                   static_cast<uint64_t>(batch.sample_ids[at]));
    Instances truth;
    read_frame_for_training(dataset(), source, *frames_, draws, pixels, truth);
    batch.targets.set(i, std::move(truth));
  }

  // A random substitute for a sample; for images with instances, one of the same orientation.
  int64_t draw_substitute(KeyedRandom& random, int64_t sample) const {
    if (order_) return order_->random_of_same_group(sample, random);
    return static_cast<int64_t>(random.below(static_cast<uint64_t>(dataset().size())));
  }

  // Returns the reason why the image cannot be read; nullopt on success.
  std::optional<std::string> try_fill_slot(Batch& batch, int64_t i, int64_t source) const {
    try {
      fill_slot(batch, i, source);
      return std::nullopt;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      return error.what();
    }
  }

  std::optional<BadSample> fill(Batch& batch, int64_t i) const {
    const int64_t sample = batch.sample_ids[static_cast<size_t>(i)];
    const auto reason = try_fill_slot(batch, i, sample);
    if (!reason) return std::nullopt;
    const int64_t epoch = order_ ? batch.sample_epochs[static_cast<size_t>(i)] : batch.epoch;
    KeyedRandom random(request_.seed, Purpose::kSubstitute, static_cast<uint64_t>(epoch),
                       static_cast<uint64_t>(sample));
    for (int attempt = 0; attempt < kMostSubstitutes; ++attempt) {
      const int64_t substitute = draw_substitute(random, sample);
      if (!try_fill_slot(batch, i, substitute)) return BadSample{sample, substitute, *reason};
    }
    return BadSample{sample, -1, *reason};
  }

  const LoaderRequest request_;
  const Augmenter augmenter_;
  const std::optional<SceneOptions> scenes_;
  const std::optional<FrameOptions> frames_;
  const std::optional<OrientedOrder> order_;  // for instances only
  const Range part_;                          // this rank's part of a batch
  BadImageLimits limits_;
  std::optional<Prefetcher> prefetcher_;  // last: its threads use all of the above
};

Loader::Loader(LoaderRequest request) : impl_(std::make_unique<Impl>(std::move(request))) {}
Loader::~Loader() = default;
Batch Loader::next() { return impl_->next(); }
int64_t Loader::steps_per_epoch() const { return impl_->steps_per_epoch(); }

}  // namespace fcm::loader
