#include "fcm/eval/features.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/recipe/setup.h"

namespace fcm::eval {
namespace {

// The first `count` images of a data set in a fixed pseudo-random order.
class Subset final : public loader::Dataset {
 public:
  explicit Subset(const Selection& selection)
      : whole_(selection.dataset),
        size_(std::min(selection.count, whole_->size())),
        order_(static_cast<uint64_t>(whole_->size()), 0, Purpose::kProbe, 0) {}

  int64_t size() const override { return size_; }
  image::Image get(int64_t index, int64_t channels) const override {
    return whole_->get(place(index), channels);
  }
  int64_t label(int64_t index) const override { return whole_->label(place(index)); }
  std::string name(int64_t index) const override { return whole_->name(place(index)); }
  const std::vector<std::string>& classes() const override { return whole_->classes(); }

 private:
  // If all images are selected, they keep the order of the data set.
  int64_t place(int64_t index) const {
    if (size_ == whole_->size()) return index;
    return static_cast<int64_t>(order_(static_cast<uint64_t>(index)));
  }

  std::shared_ptr<const loader::Dataset> whole_;
  int64_t size_;
  KeyedPermutation order_;
};

using BatchCallback = std::function<void(const loader::Batch& batch)>;

// Iterates over the readable images of a selection.
void for_each_batch(const recipe::Recipe& recipe, const Selection& selection, int64_t threads,
                    const BatchCallback& take) {
  constexpr int64_t kBatch = 64;
  const auto subset = std::make_shared<Subset>(selection);
  loader::EvalLoader batches({.dataset = subset,
                              .data = recipe.data,
                              .targets = loader::TargetKind::kLabel,
                              .batch_size = kBatch,
                              .threads = threads,
                              .slice = {selection.group->rank(), selection.group->size()}});
  if (selection.count_done) selection.count_done(0);
  for (loader::Batch batch; batches.next(batch);) {
    if (batch.batch > 0) take(batch);  // 0: all of its images were unreadable
    if (selection.count_done && batch.batch > 0) selection.count_done(batch.batch);
  }
}

void refuse_no_image(bool none, const Selection& selection) {
  if (!none) return;
  fail(ExitCode::kData, "none of the {} images can be read; the first is {}",
       selection.dataset->size(), selection.dataset->name(0));
}

at::Tensor labels_tensor(const std::vector<int64_t>& labels) {
  return at::tensor(at::ArrayRef<int64_t>(labels), at::kLong);
}

// The features and labels of this rank's images; the features are one tensor for each batch. Both
// are empty if no image could be read.
struct RankFeatures {
  std::vector<at::Tensor> features;
  std::vector<int64_t> labels;

  // The rows of all ranks. `width`: the shape of a row. Throws Error(kData) if no image could be
  // read.
  at::Tensor all_features(const Selection& selection, const std::vector<int64_t>& width) const {
    std::vector<int64_t> none = width;
    none.insert(none.begin(), 0);
    const at::Tensor all = dist::gather_rows(
        *selection.group, features.empty() ? at::empty(none, at::kFloat) : at::cat(features));
    refuse_no_image(all.size(0) == 0, selection);
    return all;
  }
  at::Tensor all_labels(const Selection& selection) const {
    return dist::gather_rows(*selection.group, labels_tensor(labels));
  }
};

void append(std::vector<int64_t>& list, const std::vector<int64_t>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

// Throws Error(kNumeric) if a feature is NaN or infinite, since kNN, probes and other programs
// would use it without an error.
void refuse_non_finite(const at::Tensor& latent_BKC, const loader::Dataset& images,
                       const loader::Batch& batch) {
  const at::Tensor finite_B = at::isfinite(latent_BKC).flatten(1).all(1);
  for (int64_t i = 0; i < finite_B.size(0); ++i) {
    if (finite_B[i].item<bool>()) continue;
    const int64_t sample = batch.sample_ids[static_cast<size_t>(i)];
    fail(ExitCode::kNumeric,
         "the features of {} hold NaN or infinity: check the weights (fastconvmae checkpoint "
         "show), or try --set model.precision=fp32",
         images.name(sample));
  }
}

}  // namespace

encoder::Features features_of(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                              const loader::Dataset& images, const loader::Batch& batch) {
  const at::NoGradGuard no_grad;
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, model.device());
  const at::Tensor images_BHWC = models::images_of(batch);
  const masks::ViewPlan plan =
      masks::full_plan(images_BHWC.size(0), model.grid()).to(model.device());
  const at::Tensor pixels = models::pixels_of(models::to_device(images_BHWC, model.device()), plan,
                                              model.geometry(), recipe.data);
  encoder::Features features = model.encode(pixels, plan, compute);
  features.latent_BKC = features.latent_BKC.to(at::kFloat).cpu();
  if (features.class_latents_BGC.defined()) {
    features.class_latents_BGC = features.class_latents_BGC.to(at::kFloat).cpu();
  }
  refuse_non_finite(features.latent_BKC, images, batch);
  return features;
}

void stream_features(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                     const Selection& selection, int64_t threads, const TakeFeatures& take) {
  const at::NoGradGuard no_grad;
  for_each_batch(recipe, selection, threads, [&](const loader::Batch& batch) {
    take(features_of(model, recipe, Subset(selection), batch), batch);
  });
}

FeatureSet extract_features(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                            const Selection& selection, int64_t threads) {
  RankFeatures mine;
  stream_features(model, recipe, selection, threads,
                  [&](const encoder::Features& features, const loader::Batch& batch) {
                    mine.features.push_back(features.latent_BKC);
                    append(mine.labels, batch.targets.labels());
                  });
  const at::Tensor tokens_NLC =
      mine.all_features(selection, {model.grid().patches(), recipe.encoder.dims.back()});
  return {tokens_NLC.flatten(1), tokens_NLC.mean(1), mine.all_labels(selection)};
}

FeatureSet extract_mean_features(const models::MaskedAutoencoder& model,
                                 const recipe::Recipe& recipe, const Selection& selection,
                                 int64_t threads) {
  RankFeatures mine;
  stream_features(model, recipe, selection, threads,
                  [&](const encoder::Features& features, const loader::Batch& batch) {
                    mine.features.push_back(features.latent_BKC.mean(1));
                    append(mine.labels, batch.targets.labels());
                  });
  return {at::Tensor(), mine.all_features(selection, {recipe.encoder.dims.back()}),
          mine.all_labels(selection)};
}

FeatureSet raw_features(const recipe::Recipe& recipe, const Selection& selection, int64_t threads) {
  std::vector<at::Tensor> pixels;
  std::vector<int64_t> labels;
  for_each_batch(recipe, selection, threads, [&](const loader::Batch& batch) {
    pixels.push_back(models::images_of(batch).flatten(1).to(at::kFloat).div_(255));
    append(labels, batch.targets.labels());
  });
  refuse_no_image(pixels.empty(), selection);
  return {at::cat(pixels), at::Tensor(), labels_tensor(labels)};
}

}  // namespace fcm::eval
