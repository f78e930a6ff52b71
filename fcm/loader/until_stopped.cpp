#include "fcm/loader/until_stopped.h"

#include <utility>

#include "fcm/loader/wrapped_dataset.h"

namespace fcm::loader {
namespace {

class UntilStopped final : public WrappedDataset {
 public:
  UntilStopped(std::shared_ptr<const Dataset> images, const std::atomic<bool>* stop)
      : WrappedDataset(std::move(images)), stop_(stop) {}

  image::Image get(int64_t index, int64_t channels) const override {
    throw_if_stopped();
    return WrappedDataset::get(index, channels);
  }
  image::Section get_section(int64_t index, int64_t channels,
                             const image::ChooseBox& choose) const override {
    throw_if_stopped();
    return WrappedDataset::get_section(index, channels, choose);
  }
  ClassMap class_map(int64_t index) const override {
    throw_if_stopped();
    return WrappedDataset::class_map(index);
  }

 private:
  void throw_if_stopped() const {
    if (*stop_) throw StopRequested();
  }

  const std::atomic<bool>* stop_;
};

}  // namespace

std::shared_ptr<const Dataset> until_stopped(std::shared_ptr<const Dataset> images,
                                             const std::atomic<bool>* stop) {
  if (stop == nullptr) return images;
  return std::make_shared<UntilStopped>(std::move(images), stop);
}

}  // namespace fcm::loader
