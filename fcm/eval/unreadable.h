// Why pictures were left out of a measurement.
#pragma once

#include <string>
#include <vector>

#include "fcm/dist/group.h"
#include "fcm/loader/loader.h"

namespace fcm::eval {

// A reason a picture, which names it: those of all ranks, in their order.
std::vector<std::string> reasons_of_all(const std::vector<loader::BadSample>& mine,
                                        dist::Group& group);

}  // namespace fcm::eval
