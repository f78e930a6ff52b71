// A recipe: its TOML, keys, values and ranges.
#include <cstdint>
#include <string>

#include "fcm/base/error.h"
#include "fcm/config/recipe_io.h"
#include "tests/config/example.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fcm::config::Example example;
  fcm::config::Reader reader(fields_of(example));
  try {
    reader.read(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    reader.finish("fuzz");
  } catch (const fcm::Error&) {
  }
  return 0;
}
