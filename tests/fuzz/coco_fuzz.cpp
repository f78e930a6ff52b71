// A COCO instances file: all records of an accepted file must be usable.
#include <cstdint>
#include <cstdlib>

#include "fcm/base/error.h"
#include "fcm/loader/sources/coco_file.h"
#include "tests/fuzz/memory_file.h"

namespace {

constexpr int64_t kMostPixels = 100'000;  // larger masks are not rasterised here

void use(const fcm::loader::CocoFile& file, int64_t index) {
  namespace loader = fcm::loader;
  const loader::ImageRecord& record = file.record(index);
  const loader::Instances all = file.instances(index);
  int64_t objects = 0;
  for (const loader::Instance& one : all.instances) {
    objects += one.crowd ? 0 : 1;
    const auto classes = static_cast<int64_t>(file.classes().ids.size());
    if (one.class_number < 0 || one.class_number >= classes) std::abort();
    if (one.outlines.empty() == !one.mask.has_value()) std::abort();
    if (record.rows * record.cols > kMostPixels) continue;
    const auto mask = loader::mask_of(one, record.rows, record.cols);
    if (mask.rows != record.rows || mask.cols != record.cols) std::abort();
  }
  if (objects != record.objects || all.image != record.image) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fcm::fuzz::MemoryFile file({data, size});
  try {
    const fcm::loader::CocoFile read(file.path());
    for (int64_t i = 0; i < read.size(); ++i) use(read, i);
    read.notes();
  } catch (const fcm::Error&) {
  }
  return 0;
}
