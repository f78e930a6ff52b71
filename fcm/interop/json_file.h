// Reads JSON that other programs or people wrote beside weights. Links no LibTorch.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace fcm::interop {

struct JsonFile {
  nlohmann::json object;  // null if the file is missing or has a fault
  std::string fault;      // names the file, and for a syntax error line and column; empty: none
};

// Never throws: the caller decides whether a fault matters.
JsonFile read_json_object(const std::filesystem::path& file);

// The same for `text`, which was read from `file`.
JsonFile parse_json_object(const std::string& text, const std::string& file);

}  // namespace fcm::interop
