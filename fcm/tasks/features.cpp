#include "fcm/tasks/features.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/loader/loader.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/setup.h"
#include "fcm/train/step.h"

namespace fcm::tasks {
namespace {

// Some pictures of another data set, in a keyed order.
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
  // All of it: as it stands.
  int64_t place(int64_t index) const {
    if (size_ == whole_->size()) return index;
    return static_cast<int64_t>(order_(static_cast<uint64_t>(index)));
  }

  std::shared_ptr<const loader::Dataset> whole_;
  int64_t size_;
  KeyedPermutation order_;
};

using Extract = std::function<at::Tensor(const at::Tensor& pictures_BHWC)>;  // [B, L, C] or [B, D]

// Runs over the selection and collects what `extract` makes of each batch, and the labels.
std::pair<at::Tensor, at::Tensor> collect(const train::Recipe& recipe, const Selection& selection,
                                          int64_t threads, const Extract& extract) {
  constexpr int64_t kBatch = 64;
  const auto subset = std::make_shared<Subset>(selection);
  loader::EvalLoader batches(subset, recipe.data, kBatch, 0, subset->size(), threads);
  std::vector<at::Tensor> features;
  std::vector<int64_t> labels;
  const at::NoGradGuard no_grad;
  for (loader::Batch batch; batches.next(batch);) {
    if (batch.batch == 0) continue;  // every picture of it was unreadable
    features.push_back(extract(train::pictures_of(batch)));
    labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
  }
  return {at::cat(features), at::tensor(at::ArrayRef<int64_t>(labels), at::kLong)};
}

}  // namespace

FeatureSet extract_features(const models::MaskedAutoencoder& model, const train::Recipe& recipe,
                            const Selection& selection, int64_t threads) {
  const at::ScalarType compute = train::compute_type(recipe.model.precision, model.device());
  auto [tokens_NLC, labels] =
      collect(recipe, selection, threads, [&](const at::Tensor& pictures_BHWC) {
        const masks::ViewPlan plan =
            masks::full_plan(pictures_BHWC.size(0), model.grid()).to(model.device());
        const at::Tensor pixels = train::pixels_of(train::to_device(pictures_BHWC, model.device()),
                                                   plan, model.geometry(), recipe.data);
        return model.encode(pixels, plan, compute).latent_BKC.to(at::kFloat).cpu();
      });
  return {tokens_NLC.flatten(1), tokens_NLC.mean(1), labels};
}

FeatureSet raw_features(const train::Recipe& recipe, const Selection& selection, int64_t threads) {
  auto [pixels_ND, labels] =
      collect(recipe, selection, threads, [](const at::Tensor& pictures_BHWC) {
        return pictures_BHWC.flatten(1).to(at::kFloat).div_(255);
      });
  return {pixels_ND, at::Tensor(), labels};
}

std::shared_ptr<const loader::Dataset> open_labelled(const std::string& data, loader::Split split,
                                                     const Machine& machine) {
  std::shared_ptr<const loader::Dataset> dataset =
      loader::open_dataset(data, split, open_options(machine));
  if (dataset->classes().empty()) {
    fail(ExitCode::kData, "{} has no labels, which measuring accuracy needs", data);
  }
  return dataset;
}

}  // namespace fcm::tasks
