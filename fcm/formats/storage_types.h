// PyTorch's storage types and their dtypes. Private to this folder.
#pragma once

#include <array>
#include <string_view>

namespace fcm::formats {

struct StorageType {
  std::string_view name;   // class name in module "torch"
  std::string_view dtype;  // safetensors name
};

constexpr std::array<StorageType, 10> kStorageTypes = {{{"DoubleStorage", "F64"},
                                                        {"FloatStorage", "F32"},
                                                        {"HalfStorage", "F16"},
                                                        {"BFloat16Storage", "BF16"},
                                                        {"LongStorage", "I64"},
                                                        {"IntStorage", "I32"},
                                                        {"ShortStorage", "I16"},
                                                        {"CharStorage", "I8"},
                                                        {"ByteStorage", "U8"},
                                                        {"BoolStorage", "BOOL"}}};

}  // namespace fcm::formats
