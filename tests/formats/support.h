// Helpers for tests of formats, checkpoints and foreign files: small tensors and comparisons.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/reporter.h"
#include "fcm/formats/tensor_file.h"
#include "tests/support/crash.h"
#include "tests/support/error_of.h"
#include "tests/support/recording_reporter.h"

namespace fcm::formats {

namespace fs = std::filesystem;

using test::RecordingReporter;
using test::signal_of_child;
using test::TemporaryFolderTest;

// The message of the Error(kCheckpoint) that `action` throws; empty if it throws none.
inline std::string error_of(const std::function<void()>& action) {
  return test::error_of(ExitCode::kCheckpoint, action);
}

inline std::vector<std::byte> bytes_of_text(const std::string& text) {
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// Small tensors with their memory. Their values depend on the step, so they identify it.
struct SmallState {
  explicit SmallState(int64_t step) {
    weight.assign(24, static_cast<float>(step) + 0.25F);
    moment.assign(24, static_cast<float>(step) * 0.5F);
    count = step;
    state = {{"step", step}, {"samples", step * 64}, {"recipe", "seed = 1\n"}, {"ema", 0.1}};
  }
  std::vector<TensorView> model() const {
    return {{"weight", "F32", {4, 6}, std::as_bytes(std::span(weight))},
            {"count", "I64", {}, std::as_bytes(std::span(&count, 1))},
            {"nothing", "BF16", {0, 3}, {}}};
  }
  std::vector<TensorView> optimizer() const {
    return {{"weight.exp_avg", "F32", {4, 6}, std::as_bytes(std::span(moment))}};
  }
  std::vector<float> weight, moment;
  int64_t count = 0;
  nlohmann::json state;
};

// Whether the file has exactly these tensors, bit by bit and in this order.
inline bool same_tensors(const TensorFile& file, const std::vector<TensorView>& expected) {
  if (file.tensors.size() != expected.size()) return false;
  for (size_t i = 0; i < expected.size(); ++i) {
    const TensorView &found = file.tensors[i], &wanted = expected[i];
    if (found.name != wanted.name || found.dtype != wanted.dtype || found.shape != wanted.shape ||
        found.bytes.size() != wanted.bytes.size() ||
        (!found.bytes.empty() &&
         std::memcmp(found.bytes.data(), wanted.bytes.data(), wanted.bytes.size()) != 0)) {
      return false;
    }
  }
  return true;
}

inline std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace fcm::formats
