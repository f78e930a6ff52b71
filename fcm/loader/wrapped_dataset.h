// A data set that forwards to another one; base class for decorators.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

class WrappedDataset : public Dataset {
 public:
  explicit WrappedDataset(std::shared_ptr<const Dataset> whole) : whole_(std::move(whole)) {
    remarks_ = whole_->remarks();
  }

  int64_t size() const override { return whole_->size(); }
  image::Image get(int64_t index, int64_t channels) const override {
    return whole_->get(index, channels);
  }
  image::Section get_section(int64_t index, int64_t channels,
                             const image::ChooseBox& choose) const override {
    return whole_->get_section(index, channels, choose);
  }
  int orientation(int64_t index) const override { return whole_->orientation(index); }
  bool applies_orientation() const override { return whole_->applies_orientation(); }
  int64_t label(int64_t index) const override { return whole_->label(index); }
  bool has_maps() const override { return whole_->has_maps(); }
  ClassMap class_map(int64_t index) const override { return whole_->class_map(index); }
  const MapClasses& map_classes() const override { return whole_->map_classes(); }
  bool has_instances() const override { return whole_->has_instances(); }
  Instances instances(int64_t index) const override { return whole_->instances(index); }
  ImageRecord image_record(int64_t index) const override { return whole_->image_record(index); }
  const InstanceClasses& instance_classes() const override { return whole_->instance_classes(); }
  std::string name(int64_t index) const override { return whole_->name(index); }
  const std::vector<std::string>& classes() const override { return whole_->classes(); }

 protected:
  const std::shared_ptr<const Dataset> whole_;
};

}  // namespace fcm::loader
