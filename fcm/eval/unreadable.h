// The reasons why images were left out of a measurement.
#pragma once

#include <string>
#include <vector>

#include "fcm/dist/group.h"
#include "fcm/loader/loader.h"

namespace fcm::eval {

// The reasons of all ranks, in rank order: one per image, with its name.
std::vector<std::string> reasons_of_all(const std::vector<loader::BadSample>& mine,
                                        dist::Group& group);

}  // namespace fcm::eval
