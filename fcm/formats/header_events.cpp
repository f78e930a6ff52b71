#include "fcm/formats/header_events.h"

#include <fmt/format.h>

#include <limits>

namespace fcm::formats {

bool HeaderEvents::stop_with(const std::string& reason) {
  reason_ = reason;
  return false;
}

bool HeaderEvents::refuse(const std::string& what) {
  switch (place_) {
    case Place::kMetadata:
      return stop_with(
          fmt::format("metadata {} is {}; metadata must be strings", shown(key_), what));
    case Place::kTensor:
    case Place::kShape:
    case Place::kOffsets:
      return stop_with(fmt::format("tensor {}: {} in place of {}",
                                   shown(header_.tensors.back().name), what,
                                   field_ == kDtype           ? "the dtype as a string"
                                   : place_ == Place::kTensor ? "a list of numbers"
                                                              : "an integer"));
    default:
      return stop_with(fmt::format("the header has {} in place of an object", what));
  }
}

bool HeaderEvents::number_unsigned(json::number_unsigned_t value) {
  if (place_ == Place::kShape) {
    std::vector<int64_t>& shape = header_.tensors.back().shape;
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return refuse("a number beyond 63 bits");
    }
    if (shape.size() == kMaxDimensions) {
      return stop_with(fmt::format("tensor {}: more than {} dimensions",
                                   shown(header_.tensors.back().name), kMaxDimensions));
    }
    shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (place_ == Place::kOffsets) {
    if (offsets_.size() == 2) {
      return stop_with(
          fmt::format("tensor {}: more than two data offsets", shown(header_.tensors.back().name)));
    }
    offsets_.push_back(value);
    return true;
  }
  return refuse("a number");
}

bool HeaderEvents::number_float(json::number_float_t, const std::string& text) {
  return refuse(fmt::format("the number {}", shown(text)));  // 1.0, 1e3 and 2^64 arrive here
}

bool HeaderEvents::string(std::string& value) {
  if (place_ == Place::kMetadata) {
    if (header_.metadata.size() == kMaxMetadataEntries) {
      return stop_with("too many metadata entries");
    }
    if (!header_.metadata.emplace(key_, std::move(value)).second) {
      return stop_with(fmt::format("duplicate metadata key {}", shown(key_)));
    }
    return true;
  }
  if (place_ == Place::kTensor && field_ == kDtype) {
    header_.tensors.back().dtype = std::move(value);
    return true;
  }
  return refuse("a string");
}

bool HeaderEvents::start_object(size_t) {
  if (place_ == Place::kOutside) {
    place_ = Place::kTop;
    return true;
  }
  if (place_ != Place::kTop) return refuse("an object");
  place_ = key_names_tensor_ ? Place::kTensor : Place::kMetadata;
  seen_ = field_ = kNone;
  return true;
}

bool HeaderEvents::key(std::string& name) {
  switch (place_) {
    case Place::kTop:
      key_names_tensor_ = name != "__metadata__";
      if (!key_names_tensor_) {
        if (std::exchange(metadata_seen_, true)) return stop_with("duplicate key \"__metadata__\"");
        return true;
      }
      if (header_.tensors.size() == kMaxTensors) return stop_with("too many tensors");
      header_.tensors.emplace_back().name = std::move(name);
      return true;
    case Place::kMetadata:
      key_ = std::move(name);
      return true;
    default:
      field_ = name == "dtype"          ? kDtype
               : name == "shape"        ? kShapeField
               : name == "data_offsets" ? kOffsetsField
                                        : kNone;
      if (field_ == kNone || (seen_ & field_) != 0) {
        return stop_with(fmt::format("tensor {}: {} key {}", shown(header_.tensors.back().name),
                                     field_ == kNone ? "unknown" : "duplicate", shown(name)));
      }
      seen_ |= field_;
      return true;
  }
}

bool HeaderEvents::end_object() {
  if (place_ == Place::kTop) {
    place_ = Place::kDone;
    return true;
  }
  if (place_ == Place::kTensor && seen_ != kAll) {
    return stop_with(fmt::format("tensor {} lacks dtype, shape or data_offsets",
                                 shown(header_.tensors.back().name)));
  }
  place_ = Place::kTop;
  return true;
}

bool HeaderEvents::start_array(size_t) {
  if (place_ != Place::kTensor || field_ == kDtype) return refuse("a list");
  place_ = field_ == kShapeField ? Place::kShape : Place::kOffsets;
  offsets_.clear();
  return true;
}

bool HeaderEvents::end_array() {
  if (place_ == Place::kOffsets) {
    if (offsets_.size() != 2) {
      return stop_with(fmt::format("tensor {}: data_offsets must be two numbers",
                                   shown(header_.tensors.back().name)));
    }
    header_.tensors.back().begin = offsets_[0];
    header_.tensors.back().end = offsets_[1];
  }
  place_ = Place::kTensor;
  return true;
}

bool HeaderEvents::parse_error(size_t position, const std::string&, const json::exception&) {
  return stop_with(fmt::format("the header is not valid JSON from byte {} on", position));
}

}  // namespace fcm::formats
