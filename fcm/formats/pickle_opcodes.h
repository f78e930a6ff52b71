// Opcodes of Python's pickle format, protocols 0 to 5. Private to this folder.
#pragma once

#include <cstdint>
#include <string_view>

namespace fcm::formats {

enum class Opcode : uint8_t {
  // Executed.
  kProto = 0x80,
  kFrame = 0x95,
  kStop = '.',
  kMark = '(',
  kPop = '0',
  kPopMark = '1',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kShortBinString = 'U',
  kBinString = 'T',
  kBinUnicode = 'X',
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kShortBinBytes = 'C',
  kBinBytes = 'B',
  kBinBytes8 = 0x8e,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kMemoize = 0x94,
  kBinGet = 'h',
  kLongBinGet = 'j',
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kNewObj = 0x81,
  kBuild = 'b',
  kBinPersId = 'Q',
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  // Refused by name.
  kInt = 'I',
  kLong = 'L',
  kLong4 = 0x8b,
  kFloat = 'F',
  kString = 'S',
  kUnicode = 'V',
  kList = 'l',
  kDict = 'd',
  kDup = '2',
  kPut = 'p',
  kGet = 'g',
  kInst = 'i',
  kObj = 'o',
  kNewObjEx = 0x92,
  kExt1 = 0x82,
  kExt2 = 0x83,
  kExt4 = 0x84,
  kPersId = 'P',
  kByteArray8 = 0x96,
  kNextBuffer = 0x97,
  kReadOnlyBuffer = 0x98,
};

// Python's name of a refused opcode; "unknown" if there is no such opcode.
std::string_view refused_name(Opcode code);

}  // namespace fcm::formats
