#include "fcm/formats/pickle_opcodes.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fcm::formats {
namespace {

constexpr std::array<std::pair<Opcode, std::string_view>, 21> kRefused = {{
    {Opcode::kInt, "INT"},
    {Opcode::kLong, "LONG"},
    {Opcode::kLong4, "LONG4"},
    {Opcode::kFloat, "FLOAT"},
    {Opcode::kString, "STRING"},
    {Opcode::kUnicode, "UNICODE"},
    {Opcode::kList, "LIST"},
    {Opcode::kDict, "DICT"},
    {Opcode::kDup, "DUP"},
    {Opcode::kPut, "PUT"},
    {Opcode::kGet, "GET"},
    {Opcode::kInst, "INST"},
    {Opcode::kObj, "OBJ"},
    {Opcode::kNewObjEx, "NEWOBJ_EX"},
    {Opcode::kExt1, "EXT1"},
    {Opcode::kExt2, "EXT2"},
    {Opcode::kExt4, "EXT4"},
    {Opcode::kPersId, "PERSID"},
    {Opcode::kByteArray8, "BYTEARRAY8"},
    {Opcode::kNextBuffer, "NEXT_BUFFER"},
    {Opcode::kReadOnlyBuffer, "READONLY_BUFFER"},
}};

}  // namespace

std::string_view refused_name(Opcode code) {
  const auto* const found = std::find_if(kRefused.begin(), kRefused.end(),
                                         [&](const auto& entry) { return entry.first == code; });
  return found == kRefused.end() ? "unknown" : found->second;
}

}  // namespace fcm::formats
