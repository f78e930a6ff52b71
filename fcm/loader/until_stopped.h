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

// The same data set, except that reading an image or a class map throws StopRequested once `stop`
// is set (nullptr: never). So an evaluation over a large data set ends soon after a stop, without a
// check in its loop.
std::shared_ptr<const Dataset> until_stopped(std::shared_ptr<const Dataset> images,
                                             const std::atomic<bool>* stop);

}  // namespace fcm::loader
