#include "fcm/loader/dataset.h"

#include "fcm/base/error.h"

namespace fcm::loader {

ClassMap Dataset::class_map(int64_t index) const {
  fail(ExitCode::kData,
       "{} has no map of classes, nor has any picture of these data; segmentation needs a folder "
       "images/ with the pictures and one called annotations/ with maps of the same names as PNG",
       name(index));
}

const MapClasses& Dataset::map_classes() const {
  static const MapClasses none;
  return none;
}

}  // namespace fcm::loader
