// Pictures that can no longer be had once somebody asked to stop.
#pragma once

#include <atomic>
#include <exception>
#include <memory>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

struct AskedToStop final : std::exception {
  const char* what() const noexcept override { return "asked to stop"; }
};

// The same pictures; once `stop` (which may be nullptr) is set, whatever asks for one gets an
// AskedToStop. So a measurement over a large set ends soon, wherever its loop is.
std::shared_ptr<const Dataset> until_stopped(std::shared_ptr<const Dataset> pictures,
                                             const std::atomic<bool>* stop);

}  // namespace fcm::loader
