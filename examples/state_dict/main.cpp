// state_dict IN.pth [OUT.safetensors]: lists the tensors of a PyTorch file, and writes them as
// safetensors. No code from the file is ever executed.
#include <fmt/ranges.h>

#include "fcm/base/error.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"

int main(int argc, char** argv) try {
  if (argc < 2) fcm::fail(fcm::ExitCode::kUsage, "usage: state_dict IN.pth [OUT.safetensors]");
  const fcm::formats::PthFile file = fcm::formats::read_pth(argv[1]);
  for (const fcm::formats::TensorView& tensor : file.tensors) {
    fmt::print("{} {} [{}]\n", tensor.name, tensor.dtype, fmt::join(tensor.shape, ", "));
  }
  if (argc > 2) fcm::formats::write_safetensors(argv[2], file.tensors, {});
  return 0;
} catch (const fcm::Error& error) {
  fmt::print(stderr, "state_dict: {}\n", error.what());
  return static_cast<int>(error.code());
}
