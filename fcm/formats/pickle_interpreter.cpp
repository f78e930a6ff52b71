#include "fcm/formats/pickle_interpreter.h"

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "fcm/formats/pickle_calls.h"
#include "fcm/formats/pickle_globals.h"
#include "fcm/formats/pickle_opcodes.h"
#include "fcm/formats/pickle_reader.h"

namespace fcm::formats {
namespace {

constexpr NodeRef kNothing = std::numeric_limits<NodeRef>::max();

class PickleInterpreter {
 public:
  PickleInterpreter(std::span<const std::byte> bytes, const std::string& what)
      : reader_(bytes, what) {
    graph_.pickle = reader_.pickle();
  }

  PickleGraph run() {
    if (reader_.take(1)[0] != std::byte{0x80}) reader_.refuse("it does not begin with PROTO");
    if (const auto protocol = reader_.number<uint8_t>(); protocol < 2 || protocol > 5) {
      reader_.refuse("protocol {}; 2 to 5 are read", protocol);
    }
    for (size_t count = 0; count < kMaxOpcodes; ++count) {
      const Opcode code = reader_.next_opcode();
      if (code == Opcode::kStop) return finish();
      execute(code);
      if (stack_.size() > kMaxStack || marks_.size() > kMaxStack) {
        reader_.refuse("the stack grows beyond {} values", kMaxStack);
      }
    }
    reader_.refuse("more than {} opcodes", kMaxOpcodes);
  }

 private:
  PickleGraph finish() {
    if (stack_.size() != 1 || !marks_.empty())
      reader_.refuse("STOP with {} values on the stack", stack_.size());
    reader_.require_end_of_frame();
    graph_.root = stack_.back();
    const Node& root = graph_.nodes[graph_.root];
    // An opaque object with members may hold weights: it may be a module that was saved whole.
    const bool filled = graph_.is_object(root) && graph_.containers[root.value].size() > 1;
    if (root.kind == NodeKind::kOpaque && !filled) reader_.refuse("{}", graph_.opaque_reason(root));
    graph_.end = reader_.place();
    return std::move(graph_);
  }

  void execute(Opcode code) {
    if (!push_constant(code) && !execute_control(code) && !build_container(code) &&
        !use_memo(code) && !call(code)) {
      reader_.refuse("opcode {} ({:#04x}) is not allowed", refused_name(code),
                     static_cast<unsigned>(code));
    }
  }

  // --- the stack ---

  void push(Node node) {
    stack_.push_back(static_cast<NodeRef>(graph_.nodes.size()));
    graph_.nodes.push_back(node);
  }

  void push_items(NodeKind kind, std::vector<NodeRef> items) {
    push({kind, 0, graph_.containers.size()});
    graph_.containers.push_back(std::move(items));
  }

  // Values below the last mark belong to an enclosing construct.
  NodeRef pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) reader_.refuse("the stack is empty");
    const NodeRef top = stack_.back();
    stack_.pop_back();
    return top;
  }

  NodeRef top() {
    const NodeRef ref = pop();
    stack_.push_back(ref);
    return ref;
  }

  std::vector<NodeRef> pop_to_mark() {
    if (marks_.empty()) reader_.refuse("there is no mark");
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<NodeRef> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  // --- opcodes by group; each function returns whether it handled the opcode ---

  bool push_constant(Opcode code) {
    const std::optional<Node> constant = read_constant(code, reader_);
    if (constant) push(*constant);
    return constant.has_value();
  }

  bool execute_control(Opcode code) {
    switch (code) {
      case Opcode::kProto:
        reader_.refuse("a second PROTO");
      case Opcode::kFrame:
        reader_.begin_frame(reader_.number<uint64_t>());
        return true;
      case Opcode::kMark:
        marks_.push_back(stack_.size());
        return true;
      case Opcode::kPop:
        pop();
        return true;
      case Opcode::kPopMark:
        pop_to_mark();
        return true;
      default:
        return false;
    }
  }

  bool build_container(Opcode code) {
    switch (code) {
      case Opcode::kEmptyList:
      case Opcode::kEmptySet:
        push_items(NodeKind::kList, {});
        return true;
      case Opcode::kFrozenSet:
        push_items(NodeKind::kList, pop_to_mark());
        return true;
      case Opcode::kEmptyDict:
        push_items(NodeKind::kDict, {});
        return true;
      case Opcode::kEmptyTuple:
        push_items(NodeKind::kTuple, {});
        return true;
      case Opcode::kTuple:
        push_items(NodeKind::kTuple, pop_to_mark());
        return true;
      case Opcode::kTuple1:
        push_items(NodeKind::kTuple, pop_last(1));
        return true;
      case Opcode::kTuple2:
        push_items(NodeKind::kTuple, pop_last(2));
        return true;
      case Opcode::kTuple3:
        push_items(NodeKind::kTuple, pop_last(3));
        return true;
      case Opcode::kAppend:
        add_to_list(pop_last(1));
        return true;
      case Opcode::kAppends:
      case Opcode::kAddItems:
        add_to_list(pop_to_mark());
        return true;
      case Opcode::kSetItem:
        add_to_dict(pop_last(2));
        return true;
      case Opcode::kSetItems:
        add_to_dict(pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  std::vector<NodeRef> pop_last(size_t count) {
    std::vector<NodeRef> items(count);
    while (count > 0) items[--count] = pop();
    return items;
  }

  void add_to(const Node& container, const std::vector<NodeRef>& items) {
    std::vector<NodeRef>& held = graph_.containers[container.value];
    held.insert(held.end(), items.begin(), items.end());
  }

  void add_to_list(const std::vector<NodeRef>& items) {
    const Node& list = graph_.nodes[top()];
    if (list.kind == NodeKind::kOpaque) return;
    if (list.kind != NodeKind::kList) reader_.refuse("APPEND to something that is not a list");
    add_to(list, items);
  }

  void add_to_dict(const std::vector<NodeRef>& items) {
    if (items.size() % 2 != 0) reader_.refuse("SETITEMS with a key that has no value");
    const NodeRef target = top();
    if (graph_.nodes[target].kind == NodeKind::kOpaque) return fill_opaque(target, items);
    const Node& dict = graph_.nodes[target];
    if (dict.kind != NodeKind::kDict && dict.kind != NodeKind::kOrderedDict) {
      reader_.refuse("SETITEM on something that is not a dict");
    }
    add_to(dict, items);
  }

  // Stores the items of a dict of an unknown class, since they may be weights.
  void fill_opaque(NodeRef target, const std::vector<NodeRef>& items) {
    if (!graph_.is_object(graph_.nodes[target])) return;
    const uint64_t object = graph_.nodes[target].value;
    if (graph_.containers[object].size() == 1) {
      graph_.containers[object].push_back(static_cast<NodeRef>(graph_.nodes.size()));
      graph_.nodes.push_back({NodeKind::kDict, 0, graph_.containers.size()});
      graph_.containers.emplace_back();
    }
    add_to(graph_.nodes[graph_.containers[object][1]], items);
  }

  bool use_memo(Opcode code) {
    switch (code) {
      case Opcode::kBinPut:
        put(reader_.number<uint8_t>());
        return true;
      case Opcode::kLongBinPut:
        put(reader_.number<uint32_t>());
        return true;
      case Opcode::kMemoize:
        put(memoized_);
        return true;
      case Opcode::kBinGet:
        get(reader_.number<uint8_t>());
        return true;
      case Opcode::kLongBinGet:
        get(reader_.number<uint32_t>());
        return true;
      default:
        return false;
    }
  }

  void put(size_t index) {
    if (index >= kMaxMemo) reader_.refuse("memo index {}; it must be below {}", index, kMaxMemo);
    if (index >= memo_.size()) memo_.resize(index + 1, kNothing);
    if (memo_[index] == kNothing) ++memoized_;
    memo_[index] = top();
  }

  void get(size_t index) {
    if (index >= memo_.size() || memo_[index] == kNothing)
      reader_.refuse("memo entry {} is empty", index);
    stack_.push_back(memo_[index]);
  }

  bool call(Opcode code) {
    switch (code) {
      case Opcode::kGlobal: {
        const size_t place = reader_.place();
        const std::string_view module = reader_.line();
        push_global(module, reader_.line(), opaque_node(OpaqueKind::kGlobalByLine, place));
        return true;
      }
      case Opcode::kStackGlobal: {
        const NodeRef name = pop(), module = pop();
        const uint64_t texts = graph_.containers.size();
        graph_.containers.push_back({module, name});
        push_global(text_of(module), text_of(name), opaque_node(OpaqueKind::kGlobalByTexts, texts));
        return true;
      }
      case Opcode::kReduce: {
        const NodeRef arguments = pop(), callee = pop();
        return done(reduce(graph_, callee, arguments), true);
      }
      case Opcode::kNewObj: {
        const NodeRef arguments = pop(), callee = pop();
        return done(new_object(graph_, callee, arguments), true);
      }
      case Opcode::kBuild: {
        const NodeRef state = pop();
        return done(build(graph_, top(), state), false);
      }
      case Opcode::kBinPersId:
        return done(persistent_storage(graph_, pop()), true);
      default:
        return false;
    }
  }

  // Handles a CallResult: refuses the pickle with its reason, or pushes its node.
  bool done(const CallResult& result, bool push_it) {
    if (!result.reason.empty()) reader_.refuse("{}", result.reason);
    if (push_it) push(result.node);
    return true;
  }

  std::string_view text_of(NodeRef ref) {
    const Node& node = graph_.nodes[ref];
    if (node.kind != NodeKind::kText) reader_.refuse("STACK_GLOBAL without two texts");
    return graph_.text(node);
  }

  void push_global(std::string_view module, std::string_view name, const Node& otherwise) {
    if (const std::optional<size_t> index = find_global(module, name)) {
      return push({NodeKind::kGlobal, 0, *index});
    }
    if (is_hostile(module, name)) {
      reader_.refuse("{}: it runs code in Python; do not load this file with Python",
                     graph_.opaque_reason(otherwise));
    }
    push(otherwise);
  }

  PickleReader reader_;
  PickleGraph graph_;
  std::vector<NodeRef> stack_;
  std::vector<size_t> marks_;  // the stack's size at each MARK
  std::vector<NodeRef> memo_;
  size_t memoized_ = 0;
};

}  // namespace

PickleGraph run_pickle(std::span<const std::byte> bytes, const std::string& what) {
  return PickleInterpreter(bytes, what).run();
}

}  // namespace fcm::formats
