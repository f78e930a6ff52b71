// Tests pickles of other forms of torch.save and of other programs: which parts are read, and which
// are represented as unread objects.
#include "tests/formats/pth_support.h"

namespace fcm::formats {
namespace {

TEST(PthPickleAttacks, SimilarValidFilesAreAccepted) {
  const std::vector<std::string> honest = {
      "N",
      good_tensor(),
      tensor_of(good_storage(), 11, {1, 1}, {1, int64_t{1} << 62}),  // the huge stride is not used
      tensor_of(good_storage(), 12, {0, 5}, {5, 1}),
      tensor_of(good_storage(), 0, {4, 3}, {1, 4}),
      tensor_of(good_storage(), 0, {5, 7}, {0, 0}),
      tensor_of(good_storage(), 3, {}, {}),
      "\x8c\x0b"
      "collections\x8c\x0bOrderedDict\x93)R",
      global("collections", "OrderedDict") + ")\x81}b",
      global("argparse", "Namespace") + ")\x81}" + text_op("lr") + "G" +
          std::string("\x3f\xf0\0\0\0\0\0\0", 8) + "sb",
      global("pathlib", "PosixPath") + "(" + text_op("/") + text_op("a") + "tR",
      global("torch", "Size") + "(K\x03K\x04t\x85R",
      global("_codecs", "encode") + text_op("\xc3\xbf") + text_op("latin1") + "\x86R",
      "}q\x01h\x01\x86",
      global("__torch__.net.___torch_mangle_0", "Net") + ")\x81}" + text_op("weight") +
          good_tensor() + "sb",
      std::string("\x95\x01\0\0\0\0\0\0\0N", 10),
      global("torch.jit._pickle", "build_intlist") +
          "(](K\x03K\x04"
          "etR",
  };
  for (size_t i = 0; i < honest.size(); ++i) EXPECT_EQ(reason_of(pth_of(honest[i])), "") << i;
  const PthFile path = parse_pth(bytes_of_text(pth_of(honest[10])), "path");
  EXPECT_EQ(std::get<Value::Path>(path.root.data).text, "/a");
  const PthFile bytes = parse_pth(bytes_of_text(pth_of(honest[12])), "bytes");
  EXPECT_EQ(std::get<Value::Bytes>(bytes.root.data).data, "\xff");
  const PthFile list = parse_pth(bytes_of_text(pth_of(honest.back())), "list");
  EXPECT_EQ(std::get<Value::List>(list.root.data).size(), 2U);
}

// Objects that honest programs store beside weights are no error. Each is represented as an unread
// object or as its plain data. None of them is called.
TEST(PthPickleAttacks, WhatStandsBesideWeightsIsNotInTheWay) {
  const std::string empty_hook = global("collections", "OrderedDict");
  const std::string one_text = text_op("f8") + "\x85R";
  const std::vector<std::pair<std::string, std::string>> beside = {
      {"numpy scalar", global("numpy.core.multiarray", "scalar") + "(" + global("numpy", "dtype") +
                           text_op("f8") + "\x85R" + text_op("bytes") + "tR"},
      {"numpy array", global("numpy.core.multiarray", "_reconstruct") + global("numpy", "ndarray") +
                          "K\x01\x85\x86R(K\x01K\x02tb"},
      {"Counter", global("collections", "Counter") + "}K\x1eK\x01s\x85R"},
      {"defaultdict", global("collections", "defaultdict") + global("__builtin__", "int") +
                          "\x85R" + text_op("a") + "K\x01s"},
      {"deque", global("collections", "deque") + ")K\x0a\x86RK\x01" + "a"},
      {"set", global("__builtin__", "set") + "](K\x01K\x02" + "e\x85R"},
      {"set of protocol 4", "\x8f(K\x01K\x02\x90"},
      {"frozenset of protocol 4", "(K\x01K\x02\x91"},
      {"device", global("torch", "device") + text_op("cuda") + std::string("K\0", 2) + "\x86R"},
      {"dtype", global("torch", "float32")},
      {"a class", global("__main__", "Model")},
      {"an object with slots", global("x.y", "Z") + ")\x81(N}" + text_op("a") + "K\x01stb"},
      {"an object with items", global("x", "Bunch") + ")\x81" + text_op("a") + "K\x01s"},
      {"an object with more", global("x", "Stack") + ")\x81(K\x01K\x02" + "e"},
      {"a method", global("builtins", "int") + ")R"},
      {"a seed of 64 bits",
       std::string("\x8a\x09") + std::string(8, '\xff') + std::string(1, '\0')},
      {"text of a file name that is not UTF-8", text_op("a\xed\xb3\xa9")},
      {"Python 2's bytes", "U\x02\xff\xfe"},
      {"a key that is a tuple", "}K\x01K\x02\x86K\x03s"},
      {"a key that is not read", "}" + global("torch", "float32") + "K\x03s"},
      {"a function", global("_codecs", "encode")},
      {"a storage", good_storage()},
      {"a quantised tensor", global("torch._utils", "_rebuild_qtensor") + "(" +
                                 storage("QInt8Storage", "0", 48) + "K\x01tR"},
      {"a tensor of such a storage",
       tensor_of(storage("ComplexDoubleStorage", "0", 3), 0, {3}, {1})},
      {"a tensor with hooks", global("torch._utils", "_rebuild_tensor_v2") + "(" + good_storage() +
                                  integer(0) + integers({2}) + integers({1}) + "\x89" + empty_hook +
                                  ")R" + text_op("x") + "NstR"},
  };
  for (const auto& [name, odd] : beside) {
    const std::string file = pth_of("}(" + text_op("model") + good_tensor() + text_op("odd") + odd +
                                    text_op("again") + odd + "u");
    EXPECT_EQ(reason_of(file), "") << name;
    const PthFile read = parse_pth(bytes_of_text(file), name);
    ASSERT_EQ(read.tensors.size(), 1U) << name;
    EXPECT_EQ(read.tensors[0].name, "model") << name;
    ASSERT_NE(read.root.find("odd"), nullptr) << name;
  }
  const auto odd = [&](size_t i) {
    PthFile read = parse_pth(bytes_of_text(pth_of("}" + text_op("odd") + beside[i].second + "s")),
                             beside[i].first);
    return *read.root.find("odd");
  };
  EXPECT_EQ(std::get<Value::Opaque>(odd(0).data).what, "numpy.core.multiarray.scalar");
  EXPECT_EQ(std::get<Value::Dict>(odd(2).data).items.size(), 1U);
  EXPECT_NE(odd(3).find("a"), nullptr);
  EXPECT_EQ(std::get<Value::List>(odd(5).data).size(), 2U);
  EXPECT_EQ(std::get<Value::List>(odd(6).data).size(), 2U);
  EXPECT_NE(odd(11).find("a"), nullptr);  // attributes are read, because they may be weights
  EXPECT_NE(odd(12).find("a"), nullptr);
  // Two objects of one class have separate attributes.
  const PthFile two =
      parse_pth(bytes_of_text(pth_of("(" + global("x", "Y") + "q\x01)\x81}" + text_op("a") +
                                     "K\x01sbh\x01)"
                                     "\x81}" +
                                     text_op("b") + "K\x01sbt")),
                "two");
  const auto& items = std::get<Value::Tuple>(two.root.data).items;
  EXPECT_EQ(std::get<Value::Opaque>(items[0].data).members.items.size(), 1U);
  EXPECT_EQ(items[1].find("a"), nullptr);
  EXPECT_NE(items[1].find("b"), nullptr);
}

// Reads parameters in the forms that different versions of torch.save write.
TEST(PthPickleAttacks, ParametersOfEveryFormAreRead) {
  const std::string parameter = global("torch.nn.parameter", "Parameter");
  const std::string typed = global("torch._tensor", "_rebuild_from_type_v2");
  const std::string arguments = "(" + good_storage() + integer(0) + integers({3, 4}) +
                                integers({4, 1}) + "\x89" + empty_hooks() + "t";
  for (const std::string& body :
       {parameter + good_tensor() + "\x88\x86R", parameter + good_tensor() + "\x85\x81",
        global("torch._utils", "_rebuild_parameter_with_state") + "(" + good_tensor() + "\x88" +
            empty_hooks() + "}" + text_op("tag") + "K\x01stR",
        typed + "(" + global("torch._utils", "_rebuild_tensor_v2") + parameter + arguments + "}tR",
        typed + "(" + global("torch._utils", "_rebuild_tensor_v2") + global("torch", "Tensor") +
            arguments + "}tR"}) {
    const std::string file = pth_of("}" + text_op("w") + body + "s");
    EXPECT_EQ(reason_of(file), "");
    const PthFile read = parse_pth(bytes_of_text(file), "parameter");
    ASSERT_EQ(read.tensors.size(), 1U);
    EXPECT_EQ(read.tensors[0].shape, (std::vector<int64_t>{3, 4}));
  }
}

// The length of a FRAME is enforced, as in Python. (torch.load in its safe mode refuses the
// opcode.)
TEST(PthPickleAttacks, FramesHoldWhatTheyAnnounce) {
  const auto frame = [](uint64_t bytes) { return "\x95" + le(bytes); };
  EXPECT_EQ(reason_of(pth_of(frame(2) + "N", "\x80\x04")), "");  // the second byte is STOP
  EXPECT_EQ(reason_of(pth_of(frame(1) + "N" + frame(1), "\x80\x04")), "");
  expect_refused({
      {"longer than the data", pth_of(frame(3) + "N"), "a FRAME of 3 bytes, but only 2 follow"},
      {"of 2^64 bytes", pth_of(frame(~uint64_t{0}) + "N"), "but only 2 follow"},
      {"one in another", pth_of(frame(20) + frame(1) + "N" + std::string(9, '0')),
       "inside another"},
      {"an opcode across its end", pth_of(frame(2) + "K\x01" + frame(2) + "J00000"),
       "reaches beyond its FRAME"},
      {"STOP before its end", archive_of({{"a/data.pkl", "\x80\x04" + frame(4) + "N.N0"}}),
       "STOP inside a FRAME"},
  });
}

// Objects of TorchScript classes are created empty and get their attributes once. They are never
// called.
TEST(PthPickleAttacks, ScriptModulesAreOnlyFilled) {
  const std::string net = global("__torch__", "Net");
  expect_refused({
      {"called", pth_of(net + ")R"), "is not called"},
      {"called with a text", pth_of(net + text_op("touch /tmp/x") + "\x85R"), "is not called"},
      {"made with arguments", pth_of(net + "K\x01\x85\x81"), "constructed with arguments"},
      {"made without a tuple", pth_of(net + "}\x81"), "without a tuple"},
      {"filled with a tuple", pth_of(net + ")\x81)b"), "BUILD with something that is not a dict"},
      {"filled twice", pth_of(net + ")\x81}b}b"), "neither a new Namespace nor an OrderedDict"},
      {"the class itself filled", pth_of(net + "}b"), "neither a new Namespace nor an OrderedDict"},
      {"the class as data", pth_of(net), "in place of data"},
      {"a storage's type",
       pth_of("(" + text_op("storage") + net + text_op("0") + text_op("cpu") + "K\x0ctQ"),
       "a storage of an unknown type"},
      {"attributes by number", pth_of(net + ")\x81}K\x01Nsb"), "whose name is not a string"},
      {"one that holds itself", pth_of(net + ")\x81q\x01}" + text_op("a") + "h\x01sb"),
       "nested deeper"},
  });
}

TEST(PthPickleAttacks, TypedListsOfScriptsAreOnlyLists) {
  const std::string typed = global("torch.jit._pickle", "build_tensorlist");
  expect_refused({
      {"of nothing", pth_of(typed + ")R"), "not constructed from one list"},
      {"of two", pth_of(typed + "(]]tR"), "not constructed from one list"},
      {"of a tuple", pth_of(typed + "()tR"), "not constructed from one list"},
      {"of a text", pth_of(typed + text_op("touch /tmp/x") + "\x85R"),
       "not constructed from one list"},
      {"made by NEWOBJ with a number", pth_of(typed + "K\x01\x85\x81"),
       "not constructed by NEWOBJ"},
      {"one that holds itself",
       pth_of(typed + "(]q\x01h\x01"
                      "atR"),
       "nested deeper"},
  });
}

}  // namespace
}  // namespace fcm::formats
