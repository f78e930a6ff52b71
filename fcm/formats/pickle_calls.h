// Emulates the Python calls of a pickle as operations on the graph: REDUCE, NEWOBJ, BUILD and
// persistent ids. Private to this folder.
#pragma once

#include <string>

#include "fcm/formats/pickle_graph.h"

namespace fcm::formats {

struct CallResult {
  Node node;           // result of the call
  std::string reason;  // why the call is refused; empty: it is accepted
};

// callee(*arguments). Only callees of the allow-list are emulated; others give opaque objects.
CallResult reduce(PickleGraph& graph, NodeRef callee, NodeRef arguments);

// callee.__new__(callee, *arguments), likewise.
CallResult new_object(PickleGraph& graph, NodeRef callee, NodeRef arguments);

// Sets the members of a Namespace (TorchScript modules are read as one). The attributes of an
// OrderedDict (a state_dict's `_metadata`) must be a dict and are dropped.
CallResult build(PickleGraph& graph, NodeRef object, NodeRef state);

// ("storage", type, key, location, elements[, None]); the location is ignored.
CallResult persistent_storage(PickleGraph& graph, NodeRef id);

}  // namespace fcm::formats
