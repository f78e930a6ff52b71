// What stands for the calls of Python: REDUCE, NEWOBJ, BUILD and persistent ids. Private to this
// folder.
#pragma once

#include <string>

#include "fcm/formats/pickle_graph.h"

namespace fcm::formats {

struct CallResult {
  Node node;           // what the call gives
  std::string reason;  // why it is refused; empty: it is not
};

// callee(*arguments), for callees of the allow-list alone.
CallResult reduce(PickleGraph& graph, NodeRef callee, NodeRef arguments);

// callee.__new__(callee, *arguments), for classes of the allow-list alone.
CallResult new_object(PickleGraph& graph, NodeRef callee, NodeRef arguments);

// Gives a Namespace (or a TorchScript module, which is read as one) its members. The attributes of
// an OrderedDict (a state_dict's `_metadata`) are checked to be a dict and dropped.
CallResult build(PickleGraph& graph, NodeRef object, NodeRef state);

// ("storage", type, key, location, elements[, None]); the location does not matter.
CallResult persistent_storage(PickleGraph& graph, NodeRef id);

}  // namespace fcm::formats
