// Tensors of a PyTorch file that are of no type this program reads. Links no LibTorch.
#pragma once

#include <string>

#include "fcm/formats/pth.h"

namespace fcm::interop {

// "30 tensors are of torch.float8_e4m3fn (model.head.weight the first)", as part of a sentence;
// empty: there are none.
std::string unread_tensors(const formats::PthFile& file);

// Throws Error(kCheckpoint) where all of the file's tensors are such.
void refuse_unread_alone(const formats::PthFile& file, const std::string& source);

}  // namespace fcm::interop
