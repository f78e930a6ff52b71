// Writes tar archives, valid and invalid ones.
#pragma once

#include <cstdio>
#include <cstring>
#include <string>

namespace fcm::test {

// A header block without checksum; sealed() adds it.
inline std::string tar_header(const std::string& name, uint64_t size, char type = '0',
                              bool gnu = false) {
  std::string block(512, '\0');
  const auto put = [&](size_t at, const std::string& text) {
    block.replace(at, text.size(), text);
  };
  put(0, name.substr(0, 100));
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size));
  put(136, "00000000000");
  block[156] = type;
  put(257, gnu ? std::string("ustar  \0", 8)
               : std::string("ustar\0"
                             "00",
                             8));
  return block;
}

// The header block with its checksum computed.
inline std::string sealed(std::string block) {
  block.replace(148, 8, "        ");
  uint64_t sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  block.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return block;
}

inline std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + 511) / 512 * 512, '\0');
  return bytes;
}

inline std::string tar_member(const std::string& name, const std::string& bytes, char type = '0') {
  return sealed(tar_header(name, bytes.size(), type)) + padded(bytes);
}

inline std::string pax_record(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  size_t length = rest.size() + 1;
  while (fmt::format("{}", length).size() + rest.size() != length) ++length;
  return fmt::format("{}", length) + rest;
}

inline std::string tar_end() { return std::string(1024, '\0'); }

}  // namespace fcm::test
