// Converts the graph of a pickle to a tree of plain values. Private to this folder.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "fcm/formats/pickle_graph.h"
#include "fcm/formats/value.h"

namespace fcm::formats {

// Budgets of the tree (README.md). A value with two references counts twice.
constexpr size_t kMaxTreeValues = 1 << 18;
constexpr size_t kMaxTreeTensors = 1 << 16;
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxTextBytes = 32 << 20;  // texts, bytes and names of tensors together

struct NamedTensor {
  std::string name;   // path in the tree, "model.pos_embed"
  size_t tensor = 0;  // index into PickleGraph::tensors
};

struct PickleTree {
  Value root;
  std::vector<NamedTensor> tensors;  // indexed by Value::Tensor::index; names are unique
};

// Throws Error(kCheckpoint), which names `what` and the path in the tree.
PickleTree expand(const PickleGraph& graph, const std::string& what);

}  // namespace fcm::formats
