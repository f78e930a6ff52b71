#include "fcm/formats/pickle_machine.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/formats/little_endian.h"
#include "fcm/formats/pickle_calls.h"
#include "fcm/formats/pickle_globals.h"
#include "fcm/formats/pickle_opcodes.h"

namespace fcm::formats {
namespace {

constexpr NodeRef kNothing = std::numeric_limits<NodeRef>::max();

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const std::string& what) : what_(what) {
    graph_.pickle = bytes.first(std::min(bytes.size(), kMaxPickleBytes));
  }

  PickleGraph run() {
    if (take(1)[0] != std::byte{0x80}) refuse("it does not begin with PROTO");
    if (const auto protocol = number<uint8_t>(); protocol < 2 || protocol > 5) {
      refuse("protocol {}; 2 to 5 are read", protocol);
    }
    for (size_t count = 0; count < kMaxOpcodes; ++count) {
      op_ = next_;
      const auto code = static_cast<Opcode>(take(1)[0]);
      if (code == Opcode::kStop) return finish();
      execute(code);
      if (stack_.size() > kMaxStack || marks_.size() > kMaxStack) {
        refuse("the stack grows beyond {} values", kMaxStack);
      }
    }
    refuse("more than {} opcodes", kMaxOpcodes);
  }

 private:
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ExitCode::kCheckpoint, "{}: pickle, byte {}: {}", what_, op_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  PickleGraph finish() {
    if (stack_.size() != 1 || !marks_.empty())
      refuse("STOP with {} values on the stack", stack_.size());
    if (next_ < frame_end_) refuse("STOP inside a FRAME that ends at byte {}", frame_end_);
    graph_.root = stack_.back();
    const Node& root = graph_.nodes[graph_.root];
    // One with members may hold weights: a module that was saved whole.
    const bool filled = graph_.is_object(root) && graph_.containers[root.value].size() > 1;
    if (root.kind == NodeKind::kOpaque && !filled) refuse("{}", graph_.why_unread(root));
    graph_.end = next_;
    return std::move(graph_);
  }

  void execute(Opcode code) {
    if (!push_simple(code) && !push_text(code) && !build_container(code) && !use_memo(code) &&
        !call(code)) {
      refuse("opcode {} ({:#04x}) is not allowed", refused_name(code), static_cast<unsigned>(code));
    }
  }

  // --- reading the pickle ---

  std::span<const std::byte> take(uint64_t count) {
    if (count > graph_.pickle.size() - next_) {
      refuse("it ends before STOP, or reaches beyond {} bytes", kMaxPickleBytes);
    }
    if (next_ < frame_end_ && count > frame_end_ - next_) {
      refuse("it reaches beyond its FRAME, which ends at byte {}", frame_end_);
    }
    const auto bytes = graph_.pickle.subspan(next_, count);
    next_ += count;
    return bytes;
  }

  template <typename T>
  T number() {
    return load_le<T>(take(sizeof(T)), 0);
  }

  std::string_view line() {
    const auto rest = graph_.pickle.subspan(next_);
    const auto window = rest.first(std::min(rest.size(), kMaxNameBytes));
    const auto end = std::find(window.begin(), window.end(), std::byte{'\n'});
    if (end == window.end()) refuse("a name of more than {} bytes", kMaxNameBytes);
    const auto bytes = take(static_cast<size_t>(end - window.begin()) + 1);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size() - 1};
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

  // Values below the last mark belong to what was begun before it.
  NodeRef pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("the stack is empty");
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
    if (marks_.empty()) refuse("there is no mark");
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<NodeRef> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  // --- opcodes, group by group; each says whether the opcode is one of its own ---

  bool push_simple(Opcode code) {
    const auto push_int = [&](int64_t value) {
      push({NodeKind::kInt, 0, static_cast<uint64_t>(value)});
    };
    switch (code) {
      case Opcode::kProto:
        refuse("a second PROTO");
      case Opcode::kFrame:
        begin_frame(number<uint64_t>());
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
      case Opcode::kNone:
        push({NodeKind::kNone});
        return true;
      case Opcode::kNewTrue:
        push({NodeKind::kBool, 0, 1});
        return true;
      case Opcode::kNewFalse:
        push({NodeKind::kBool, 0, 0});
        return true;
      case Opcode::kBinInt:
        push_int(number<int32_t>());
        return true;
      case Opcode::kBinInt1:
        push_int(number<uint8_t>());
        return true;
      case Opcode::kBinInt2:
        push_int(number<uint16_t>());
        return true;
      case Opcode::kLong1:
        push_long(number<uint8_t>());
        return true;
      case Opcode::kBinFloat:
        push({NodeKind::kFloat, 0, __builtin_bswap64(number<uint64_t>())});
        return true;
      default:
        return false;
    }
  }

  // A hint for readers of pipes, but one that Python holds files to.
  void begin_frame(uint64_t bytes) {
    if (next_ < frame_end_) refuse("a FRAME begins inside another, which ends at {}", frame_end_);
    if (bytes > graph_.pickle.size() - next_) {
      refuse("a FRAME of {} bytes, but only {} follow: the file was cut or altered", bytes,
             graph_.pickle.size() - next_);
    }
    frame_end_ = next_ + bytes;
  }

  // Two's complement of any length; what 64 bits cannot hold is not read.
  void push_long(size_t count) {
    if (count > sizeof(int64_t)) {
      take(count);
      push(unread(Unread::kLongNumber));
    } else {
      push({NodeKind::kInt, 0, static_cast<uint64_t>(long_number(count))});
    }
  }

  int64_t long_number(size_t count) {
    const auto bytes = take(count);
    if (count == 0) return 0;
    uint64_t value = std::to_integer<int8_t>(bytes.back()) < 0 ? ~uint64_t{0} : 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
    return static_cast<int64_t>(value);
  }

  void push_span(NodeKind kind, uint64_t count) {
    const size_t place = next_;
    take(count);
    push({kind, static_cast<uint32_t>(count), place});
  }

  // Python 2's str: text or bytes, which only its content tells.
  void push_string(uint64_t count) {
    const size_t place = next_;
    const auto bytes = take(count);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    push({is_utf8(text) ? NodeKind::kText : NodeKind::kBytes, static_cast<uint32_t>(count), place});
  }

  bool push_text(Opcode code) {
    switch (code) {
      case Opcode::kShortBinString:
        push_string(number<uint8_t>());
        return true;
      case Opcode::kBinString:
        push_string(number<uint32_t>());
        return true;
      case Opcode::kShortBinUnicode:
        push_span(NodeKind::kText, number<uint8_t>());
        return true;
      case Opcode::kBinUnicode:
        push_span(NodeKind::kText, number<uint32_t>());
        return true;
      case Opcode::kBinUnicode8:
        push_span(NodeKind::kText, number<uint64_t>());
        return true;
      case Opcode::kShortBinBytes:
        push_span(NodeKind::kBytes, number<uint8_t>());
        return true;
      case Opcode::kBinBytes:
        push_span(NodeKind::kBytes, number<uint32_t>());
        return true;
      case Opcode::kBinBytes8:
        push_span(NodeKind::kBytes, number<uint64_t>());
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
    if (list.kind != NodeKind::kList) refuse("APPEND to what is no list");
    add_to(list, items);
  }

  void add_to_dict(const std::vector<NodeRef>& items) {
    if (items.size() % 2 != 0) refuse("SETITEMS with a key that has no value");
    const NodeRef target = top();
    if (graph_.nodes[target].kind == NodeKind::kOpaque) return fill_opaque(target, items);
    const Node& dict = graph_.nodes[target];
    if (dict.kind != NodeKind::kDict && dict.kind != NodeKind::kOrderedDict) {
      refuse("SETITEM on what is no dict");
    }
    add_to(dict, items);
  }

  // Of a dict of a class that is not read: what it holds is kept, it may be weights.
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
        put(number<uint8_t>());
        return true;
      case Opcode::kLongBinPut:
        put(number<uint32_t>());
        return true;
      case Opcode::kMemoize:
        put(memoized_);
        return true;
      case Opcode::kBinGet:
        get(number<uint8_t>());
        return true;
      case Opcode::kLongBinGet:
        get(number<uint32_t>());
        return true;
      default:
        return false;
    }
  }

  void put(size_t index) {
    if (index >= kMaxMemo) refuse("memo index {}, at most {} are allowed", index, kMaxMemo);
    if (index >= memo_.size()) memo_.resize(index + 1, kNothing);
    if (memo_[index] == kNothing) ++memoized_;
    memo_[index] = top();
  }

  void get(size_t index) {
    if (index >= memo_.size() || memo_[index] == kNothing) refuse("memo entry {} is empty", index);
    stack_.push_back(memo_[index]);
  }

  bool call(Opcode code) {
    switch (code) {
      case Opcode::kGlobal: {
        const size_t place = next_;
        const std::string_view module = line();
        push_global(module, line(), unread(Unread::kLine, place));
        return true;
      }
      case Opcode::kStackGlobal: {
        const NodeRef name = pop(), module = pop();
        const uint64_t texts = graph_.containers.size();
        graph_.containers.push_back({module, name});
        push_global(text_of(module), text_of(name), unread(Unread::kTexts, texts));
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

  // What pickle_calls.h answers: a reason to refuse, or the node made.
  bool done(const CallResult& result, bool push_it) {
    if (!result.reason.empty()) refuse("{}", result.reason);
    if (push_it) push(result.node);
    return true;
  }

  std::string_view text_of(NodeRef ref) {
    const Node& node = graph_.nodes[ref];
    if (node.kind != NodeKind::kText) refuse("STACK_GLOBAL without two texts");
    return graph_.text(node);
  }

  void push_global(std::string_view module, std::string_view name, const Node& otherwise) {
    if (const std::optional<size_t> index = find_global(module, name)) {
      return push({NodeKind::kGlobal, 0, *index});
    }
    if (is_hostile(module, name)) {
      refuse("{}, which runs code in Python: do not load this file there",
             graph_.why_unread(otherwise));
    }
    push(otherwise);
  }

  const std::string& what_;
  PickleGraph graph_;
  size_t next_ = 0;  // byte to be read
  size_t frame_end_ = 0;
  size_t op_ = 0;  // where the opcode that is executed stands
  std::vector<NodeRef> stack_;
  std::vector<size_t> marks_;  // sizes of the stack
  std::vector<NodeRef> memo_;
  size_t memoized_ = 0;
};

}  // namespace

PickleGraph run_pickle(std::span<const std::byte> bytes, const std::string& what) {
  return Machine(bytes, what).run();
}

}  // namespace fcm::formats
