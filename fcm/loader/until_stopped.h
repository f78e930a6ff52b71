// A data set that stops reading once a stop was requested.
#pragma once

#include <atomic>
#include <exception>
#include <memory>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

struct StopRequested final : std::exception {
  const char* what() const noexcept override { return "asked to stop"; }
};

// The same images; once `stop` (may be nullptr) is set, reading an image or a class map throws
// StopRequested. This ends a measurement over a large set soon, wherever its loop is.
std::shared_ptr<const Dataset> until_stopped(std::shared_ptr<const Dataset> images,
                                             const std::atomic<bool>* stop);

}  // namespace fcm::loader
