// Tensors of a PyTorch file whose type this program cannot read. Links no LibTorch.
#pragma once

#include <string>

#include "fcm/formats/pth.h"

namespace fcm::interop {

// Part of a sentence, "30 tensors are of torch.float8_e4m3fn (model.head.weight the first)"; empty:
// there are no such tensors.
std::string unread_tensors(const formats::PthFile& file);

// Throws Error(kCheckpoint) if the file has such tensors and no others.
void refuse_unread_alone(const formats::PthFile& file, const std::string& source);

}  // namespace fcm::interop
