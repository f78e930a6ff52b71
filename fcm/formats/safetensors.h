// The safetensors file format: 8 bytes length, a JSON header, bytes of tensors one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "fcm/formats/tensor_file.h"

namespace fcm::formats {

// Writes and fsyncs; the folder is not synced. Throws Error(kCheckpoint).
void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata);

// Reads with every check of the format: header at most 100 MB, no duplicate names, known types,
// shape times type equal to the span, spans contiguous from 0, not overlapping, ending at the
// file's end. Nothing is allocated from a number that was not checked against the file's size.
// `threads` as in read_pth.
TensorFile read_safetensors(const std::filesystem::path& path, int64_t threads = 0);
// Copies the bytes.
TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name_for_errors);

}  // namespace fcm::formats
