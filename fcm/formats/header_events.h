// SAX handler that accepts only the schema of a safetensors header:
//   {"__metadata__": {key: text}, name: {"dtype": text, "shape": [n...], "data_offsets": [n, n]}}
// A parser for general JSON would accept duplicate keys, convert 2^64 to a float and allocate for
// any nesting. Private to this folder.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fcm/formats/safetensors_header.h"

namespace fcm::formats {

class HeaderEvents {
 public:
  using json = nlohmann::json;

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("true or false"); }
  bool number_integer(json::number_integer_t) { return refuse("a negative number"); }
  bool number_unsigned(json::number_unsigned_t value);
  bool number_float(json::number_float_t, const std::string& text);
  bool string(std::string& value);
  bool binary(json::binary_t&) { return refuse("binary data"); }
  bool start_object(size_t);
  bool key(std::string& name);
  bool end_object();
  bool start_array(size_t);
  bool end_array();
  bool parse_error(size_t position, const std::string& token, const json::exception& error);

  const std::string& reason() const { return reason_; }
  SafetensorsHeader take() { return std::move(header_); }

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kShape, kOffsets, kDone };
  enum Field : unsigned { kNone = 0, kDtype = 1, kShapeField = 2, kOffsetsField = 4, kAll = 7 };

  bool refuse(const std::string& what);
  bool stop_with(const std::string& reason);

  SafetensorsHeader header_;
  Place place_ = Place::kOutside;
  std::string key_;                // of the current metadata entry
  bool key_names_tensor_ = false;  // the latest key at the top level names a tensor
  unsigned seen_ = kNone;          // fields of the current tensor so far
  unsigned field_ = kNone;         // the field whose value comes next
  bool metadata_seen_ = false;
  std::vector<uint64_t> offsets_;
  std::string reason_ = "the header is not valid JSON";
};

}  // namespace fcm::formats
