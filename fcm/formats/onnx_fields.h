// Field numbers of onnx.proto, by message, for the fields that onnx_file.h writes. Private to this
// folder and its tests.
#pragma once

#include <protozero/types.hpp>

namespace fcm::formats::onnx {

using Tag = protozero::pbf_tag_type;

namespace model {
inline constexpr Tag kIrVersion = 1, kProducer = 2, kProducerVersion = 3, kDescription = 6,
                     kGraph = 7, kOperators = 8, kMetadata = 14;
}
namespace operators {
inline constexpr Tag kVersion = 2;
}
namespace pair {
inline constexpr Tag kKey = 1, kValue = 2;
}
namespace graph {
inline constexpr Tag kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12;
}
namespace node {
inline constexpr Tag kInput = 1, kOutput = 2, kName = 3, kOperator = 4, kAttribute = 5;
}
namespace attribute {
inline constexpr Tag kName = 1, kFloat = 2, kInt = 3, kInts = 8, kType = 20;
// Values of kType.
inline constexpr int32_t kIsFloat = 1, kIsInt = 2, kAreInts = 7;
}  // namespace attribute
namespace tensor {
inline constexpr Tag kDims = 1, kType = 2, kName = 8, kBytes = 9, kExternal = 13, kLocation = 14;
inline constexpr int32_t kIsExternal = 1;  // value of kLocation
}  // namespace tensor
namespace value {
inline constexpr Tag kName = 1, kType = 2;
}
namespace type {
inline constexpr Tag kTensor = 1;
}
namespace tensor_type {
inline constexpr Tag kElement = 1, kShape = 2;
}
namespace shape {
inline constexpr Tag kDim = 1;
}
namespace dim {
inline constexpr Tag kValue = 1, kName = 2;
}

}  // namespace fcm::formats::onnx
