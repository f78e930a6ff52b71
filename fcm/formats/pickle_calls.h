// Emulates the opcodes that call Python (REDUCE, NEWOBJ, BUILD, BINPERSID) as operations on the
// graph. Private to this folder.
#pragma once

#include <string>

#include "fcm/formats/pickle_graph.h"

namespace fcm::formats {

struct CallResult {
  Node node;           // result of the call
  std::string reason;  // why the call is refused; empty: the call is accepted
};

// callee(*arguments). Emulates callees of the allow-list; others return opaque objects.
CallResult reduce(PickleGraph& graph, NodeRef callee, NodeRef arguments);

// callee.__new__(callee, *arguments), by the same rule. Functions, storage types and paths of the
// allow-list are refused here.
CallResult new_object(PickleGraph& graph, NodeRef callee, NodeRef arguments);

// Sets the members of a Namespace (TorchScript modules are read as one) or the attributes of an
// opaque object. The attributes of an OrderedDict (a state_dict's `_metadata`) must be a dict and
// are dropped.
CallResult build(PickleGraph& graph, NodeRef object, NodeRef state);

// The storage with the persistent id ("storage", type, key, location, elements[, None]); the
// location is ignored.
CallResult persistent_storage(PickleGraph& graph, NodeRef id);

}  // namespace fcm::formats
