#include "fcm/interop/onnx/encoders.h"

#include "fcm/base/error.h"

namespace fcm::interop::onnx {

Encoded add_encoder(Graph& graph, const EncoderGraph& wanted, const Value& pixels) {
  if (wanted.kind == "conv_vit") return add_conv_vit(graph, wanted, pixels);
  if (wanted.kind == "vit") return add_vit(graph, wanted, pixels);
  if (wanted.kind == "swin") return add_swin(graph, wanted, pixels);
  fail(ExitCode::kUsage, "--to onnx: a {} cannot be exported", wanted.kind);
}

}  // namespace fcm::interop::onnx
