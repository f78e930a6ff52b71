// JSON that other programs and people write beside weights. Links no LibTorch.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace fcm::interop {

struct JsonFile {
  nlohmann::json object;  // null where the file is not there, or has a fault
  std::string fault;      // a sentence with the file, line and column; empty: there is none
};

// The object in a file. Throws nothing: the fault belongs to whoever needs the file.
JsonFile read_json_object(const std::filesystem::path& file);

// The same of a text that was read from `file`.
JsonFile parse_json_object(const std::string& text, const std::string& file);

}  // namespace fcm::interop
