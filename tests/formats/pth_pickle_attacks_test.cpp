// Pickles made by hand to run code, to eat memory or to reach beyond a storage; the error must name
// the rule.
#include <sys/resource.h>

#include <ctime>

#include "tests/formats/pth_support.h"

namespace fcm::formats {
namespace {

std::string repeat(const std::string& text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

std::string good_storage() { return storage("FloatStorage", "0", 12); }

std::string good_tensor() { return tensor_of(good_storage(), 0, {3, 4}, {4, 1}); }

// Nested tuples that each hold the one before it `width` times.
std::string laughs(size_t width, uint8_t levels) {
  std::string text = ")q" + le<uint8_t>(0);
  for (uint8_t i = 1; i < levels; ++i) {
    text += "0(" + repeat("h" + le<uint8_t>(i - 1), width) + "tq" + le(i);
  }
  return text;
}

TEST(PthPickleAttacks, HonestRelativesAreAccepted) {
  const std::vector<std::string> honest = {
      "N",
      good_tensor(),
      tensor_of(good_storage(), 11, {1, 1}, {1, int64_t{1} << 62}),  // never stepped along
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

// Each of these would run the command in Python's own reader, or is a way towards that.
TEST(PthPickleAttacks, CodeIsNeverReached) {
  std::vector<PthAttack> attacks;
  for (const auto& [module, name] : std::vector<std::pair<std::string, std::string>>{
           {"os", "system"},
           {"posix", "system"},
           {"nt", "system"},
           {"builtins", "eval"},
           {"builtins", "exec"},
           {"__builtin__", "eval"},
           {"builtins", "getattr"},
           {"subprocess", "Popen"},
           {"subprocess", "check_output"},
           {"pickle", "loads"},
           {"runpy", "run_path"},
           {"functools", "partial"},
           {"operator", "attrgetter"},
           {"copyreg", "_reconstructor"},
           {"copy_reg", "_reconstructor"},
           {"importlib", "import_module"},
           {"torch", "load"},
           {"torch.hub", "load"},
           {"torch.storage", "_load_from_bytes"},
           {"torch.serialization", "load"},
           {"torch._utils", "_rebuild_device_tensor_from_numpy"},
           {"torch.jit._script", "RecursiveScriptModule"},
           {"torch", "FloatStorage.__class__"},
           {"torch", "float32"},
           {"torch", "device"},
           {"torch", "UntypedStorage"},
           {"torch.nn.modules.linear", "Linear"},
           {"numpy.core.multiarray", "_reconstruct"},
           {"numpy", "dtype"},
           {"collections", "OrderedDict.fromkeys"},
           {"argparse", "FileType"},
           {"pathlib", "os.system"},
           {"_codecs", "decode"},
           {"", ""},
           {"webbrowser", "open"},
           {"__torch__x", "Net"},
           {"torch.__torch__", "Net"},
           {"torch.jit._pickle", "restore_type_tag"},
           {"__main__", "Model"}}) {
    const std::string shown = "global \"" + module + "." + name + "\" is not allowed";
    const std::string call = text_op("touch /tmp/x") + "\x85R";
    attacks.push_back({"reduce " + name, pth_of(global(module, name) + call), shown});
    attacks.push_back(
        {"stack_global " + name, pth_of(text_op(module) + text_op(name) + "\x93" + call), shown});
    attacks.push_back({"newobj " + name, pth_of(global(module, name) + ")\x81"), shown});
  }
  expect_refused(attacks);
}

// What honest programs put beside weights does not end the reading of the weights: it is kept as
// something that was not read, or as the plain data that it holds. Nothing of it is called.
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
  EXPECT_NE(odd(11).find("a"), nullptr);  // attributes stay, they may be weights
  EXPECT_NE(odd(12).find("a"), nullptr);
  // Two objects of one class are filled one by one.
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

// Tensors that other forms of torch.save describe.
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

// Names that run code end the reading, also where nothing would use them.
TEST(PthPickleAttacks, HostileNamesEndTheReading) {
  std::vector<PthAttack> attacks;
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"builtins", "eval"},
                                                        {"__builtin__", "exec"},
                                                        {"subprocess", "Popen"},
                                                        {"sys", "exit"},
                                                        {"importlib", "import_module"},
                                                        {"runpy", "run_path"},
                                                        {"os.path", "join"}}) {
    attacks.push_back({name,
                       pth_of("}(" + text_op("model") + good_tensor() + text_op("x") +
                              global(module, name) + text_op("touch /tmp/x") + "\x85Ru"),
                       "is not allowed, which runs code in Python"});
  }
  expect_refused(attacks);
}

// Python holds files to what a FRAME announces; torch.load refuses the opcode in its safe mode.
TEST(PthPickleAttacks, FramesHoldWhatTheyAnnounce) {
  const auto frame = [](uint64_t bytes) { return "\x95" + le(bytes); };
  EXPECT_EQ(reason_of(pth_of(frame(2) + "N", "\x80\x04")), "");  // with STOP
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

// A class of an archive's own code is a bag of attributes: made empty, filled once, never called.
TEST(PthPickleAttacks, ScriptModulesAreOnlyFilled) {
  const std::string net = global("__torch__", "Net");
  expect_refused({
      {"called", pth_of(net + ")R"), "is not called"},
      {"called with a text", pth_of(net + text_op("touch /tmp/x") + "\x85R"), "is not called"},
      {"made with arguments", pth_of(net + "K\x01\x85\x81"), "made with arguments"},
      {"made without a tuple", pth_of(net + "}\x81"), "without a tuple"},
      {"filled with a tuple", pth_of(net + ")\x81)b"), "BUILD with what is no dict"},
      {"filled twice", pth_of(net + ")\x81}b}b"), "neither a new Namespace nor an OrderedDict"},
      {"the class itself filled", pth_of(net + "}b"), "neither a new Namespace nor an OrderedDict"},
      {"the class as data", pth_of(net), "stands where data is due"},
      {"a storage's type",
       pth_of("(" + text_op("storage") + net + text_op("0") + text_op("cpu") + "K\x0ctQ"),
       "a storage of an unknown type"},
      {"attributes by number", pth_of(net + ")\x81}K\x01Nsb"), "not named by text"},
      {"one that holds itself", pth_of(net + ")\x81q\x01}" + text_op("a") + "h\x01sb"),
       "nested deeper"},
  });
}

TEST(PthPickleAttacks, TypedListsOfScriptsAreOnlyLists) {
  const std::string typed = global("torch.jit._pickle", "build_tensorlist");
  expect_refused({
      {"of nothing", pth_of(typed + ")R"), "not made of one list"},
      {"of two", pth_of(typed + "(]]tR"), "not made of one list"},
      {"of a tuple", pth_of(typed + "()tR"), "not made of one list"},
      {"of a text", pth_of(typed + text_op("touch /tmp/x") + "\x85R"), "not made of one list"},
      {"made by NEWOBJ with a number", pth_of(typed + "K\x01\x85\x81"), "not made by NEWOBJ"},
      {"one that holds itself",
       pth_of(typed + "(]q\x01h\x01"
                      "atR"),
       "nested deeper"},
  });
}

TEST(PthPickleAttacks, OpcodesThatAreNotExecuted) {
  const std::string dict = global("collections", "OrderedDict");
  expect_refused({
      {"inst", pth_of("(" + text_op("id") + "ios\nsystem\n"), "opcode INST"},
      {"obj", pth_of("(" + dict + "o"), "opcode OBJ"},
      {"newobj_ex", pth_of(dict + ")}\x92"), "opcode NEWOBJ_EX"},
      {"ext1", pth_of("\x82\x01"), "opcode EXT1"},
      {"ext2", pth_of("\x83\x01\x01"), "opcode EXT2"},
      {"ext4", pth_of("\x84\x01\x01\x01\x01"), "opcode EXT4"},
      {"persid", pth_of("Pos.system\n"), "opcode PERSID"},
      {"string", pth_of("S'id'\n"), "opcode STRING"},
      {"unicode", pth_of("Vid\n"), "opcode UNICODE"},
      {"int", pth_of("I1\n"), "opcode INT"},
      {"long", pth_of("L1L\n"), "opcode LONG"},
      {"float", pth_of("F1\n"), "opcode FLOAT"},
      {"get", pth_of("g0\n"), "opcode GET"},
      {"put", pth_of("Np0\n"), "opcode PUT"},
      {"list", pth_of("(l"), "opcode LIST"},
      {"dict", pth_of("(d"), "opcode DICT"},
      {"dup", pth_of("N2"), "opcode DUP"},
      {"long4", pth_of("\x8b\xff\xff\xff\x7f"), "opcode LONG4"},
      {"bytearray", pth_of("\x96"), "opcode BYTEARRAY8"},
      {"buffer", pth_of("\x97"), "opcode NEXT_BUFFER"},
      {"none at all", pth_of("\xff"), "opcode unknown (0xff)"},
      {"protocol 0", pth_of("N", ""), "does not begin with PROTO"},
      {"protocol 1", pth_of("N", "\x80\x01"), "protocol 1;"},
      {"protocol 6", pth_of("N", "\x80\x06"), "protocol 6;"},
      {"second PROTO", pth_of("\x80\x02N"), "second PROTO"},
  });
}

TEST(PthPickleAttacks, CallsThatAreNotMade) {
  const std::string dict = global("collections", "OrderedDict");
  const std::string space = global("argparse", "Namespace");
  const std::string encode = global("_codecs", "encode");
  expect_refused({
      {"call of data", pth_of("K\x01)R"), "what is no global"},
      {"call of a call", pth_of(dict + ")R)R"), "what is no global"},
      {"call without a tuple", pth_of(dict + "]R"), "without a tuple"},
      {"call of a storage type", pth_of(global("torch", "FloatStorage") + "K\x01\x85R"),
       "is not called"},
      {"function made as an object", pth_of(global("torch._utils", "_rebuild_tensor_v2") + ")\x81"),
       "not made by NEWOBJ"},
      {"path made as an object", pth_of(global("pathlib", "Path") + ")\x81"), "not made by NEWOBJ"},
      {"OrderedDict of items", pth_of(dict + "]\x85R"), "with arguments"},
      {"Namespace of items", pth_of(space + "}\x85\x81"), "with arguments"},
      {"build a dict", pth_of("}}b"), "BUILD of what is neither"},
      {"build a list", pth_of("]}b"), "BUILD of what is neither"},
      {"build a global", pth_of(dict + "}b"), "BUILD of what is neither"},
      {"build from a tuple",
       pth_of(space + ")\x81N}\x86"
                      "b"),
       "BUILD with what is no dict"},
      {"build twice", pth_of(space + ")\x81}b}b"), "BUILD of what is neither"},
      {"member without a name", pth_of(space + ")\x81}K\x01Nsb"), "not named by text"},
      {"encode otherwise", pth_of(encode + text_op("a") + text_op("rot13") + "\x86R"), "latin1"},
      {"encode wide text", pth_of(encode + text_op("\xe2\x82\xac") + text_op("latin1") + "\x86R"),
       "not latin1"},
      {"path of numbers", pth_of(global("pathlib", "Path") + "K\x01\x85R"), "parts are no text"},
      {"size of text", pth_of(global("torch", "Size") + text_op("a") + "\x85\x85R"), "torch.Size"},
      {"stack_global of numbers", pth_of("K\x01K\x02\x93"), "without two texts"},
      {"name without an end", pth_of("c" + std::string(1000, 'a')), "more than 256 bytes"},
      {"persistent id is text", pth_of(text_op("os.system") + "Q"), "no storage"},
      {"persistent module", pth_of("(" + text_op("module") + "NNNNtQ"), "no storage"},
      {"storage of a class",
       pth_of("(" + text_op("storage") + dict + text_op("0") + text_op("cpu") + "K\x0ctQ"),
       "unknown type"},
      {"storage view",
       pth_of("(" + text_op("storage") + global("torch", "FloatStorage") + text_op("0") +
              text_op("cpu") +
              "K\x0c"
              "K\x01tQ"),
       "a view of a storage"},
  });
}

TEST(PthPickleAttacks, TheStackIsGuarded) {
  expect_refused({
      {"nothing at all", archive_of({{"a/data.pkl", ""}}), "ends before STOP"},
      {"no STOP", archive_of({{"a/data.pkl", "\x80\x02N"}}), "ends before STOP"},
      {"STOP at once", pth_of(""), "STOP with 0 values"},
      {"two values", pth_of("NN"), "STOP with 2 values"},
      {"open mark", pth_of("N("), "STOP with 1 values"},
      {"pop of nothing", pth_of("0"), "the stack is empty"},
      {"pop below a mark", pth_of("N(0"), "the stack is empty"},
      {"tuple below a mark", pth_of("N(\x85"), "the stack is empty"},
      {"memo of nothing", pth_of("q\x01"), "the stack is empty"},
      {"no mark", pth_of("Nt"), "there is no mark"},
      {"append to a dict", pth_of("}Na"), "APPEND to what is no list"},
      {"append to a tuple", pth_of(")Na"), "APPEND to what is no list"},
      {"item of a list", pth_of("]NNs"), "SETITEM on what is no dict"},
      {"odd items", pth_of("}(Nu"), "no value"},
      {"empty memo", pth_of("h\x05"), "memo entry 5 is empty"},
      {"memo beyond", pth_of("j\xff\xff\xff\xff"), "is empty"},
      {"text beyond the end", pth_of("X\xff\xff\xff\xff"), "ends before STOP"},
      {"text of 2^63", pth_of("\x8d" + le(uint64_t{1} << 63)), "ends before STOP"},
      {"bytes of 2^64", pth_of("\x8e" + le(~uint64_t{0})), "ends before STOP"},
      {"number cut", archive_of({{"a/data.pkl", "\x80\x02J\x01"}}), "ends before STOP"},
      {"number of 9 bytes",
       pth_of("\x8a\x09"
              "123456789"),
       "at most 8 are read"},
      {"number of 255 bytes", pth_of("\x8a\xff" + std::string(255, '\x7f')), "at most 8 are read"},
  });
}

TEST(PthPickleAttacks, TheTreeIsPlain) {
  expect_refused({
      {"class as a value", pth_of(global("torch", "FloatStorage")), "stands where data is due"},
      {"function as the file", pth_of(global("_codecs", "encode")), "stands where data is due"},
      {"storage as a value", pth_of(good_storage()), "a storage stands where data is due"},
      {"duplicate key", pth_of("}(" + text_op("a") + "N" + text_op("a") + "Nu"), "duplicate key"},
      {"1 and True", pth_of("}(K\x01N\x88Nu"), "duplicate key"},
      {"1 and 1.0", pth_of("}(K\x01NG" + std::string("\x3f\xf0\0\0\0\0\0\0", 8) + "Nu"),
       "duplicate key"},
      {"list as a key", pth_of("}]Ns"), "neither text nor number"},
      {"tensor as a key", pth_of("}" + good_tensor() + "Ns"), "neither text nor number"},
      {"no UTF-8", pth_of(text_op("\xc0\x80")), "not UTF-8"},
      {"two tensors of one name",
       pth_of("}(" + text_op("a.b") + good_tensor() + text_op("a") + "}" + text_op("b") +
              good_tensor() + "su"),
       "a second tensor of this name"},
  });
}

TEST(PthPickleAttacks, Bombs) {
  const std::string megabyte = text_op(std::string(1 << 20, 'a'));
  const std::clock_t start = std::clock();  // of the processor: others may use it too
  expect_refused({
      {"memo index", pth_of("Nr\xff\xff\xff\x7f"), "memo index 2147483647"},
      {"memo index 2", pth_of("Nr\xff\xff\xff\xff"), "memo index 4294967295"},
      {"nesting", pth_of(repeat("]", 100) + repeat("a", 99)), "nested deeper than 64"},
      {"nesting of a hundred thousand", pth_of(repeat("]", 100000) + repeat("a", 99999)),
       "nested deeper than 64"},
      {"nested tuples", pth_of(")" + repeat("\x85", 100000)), "nested deeper than 64"},
      {"list that holds itself",
       pth_of("]q\x01h\x01"
              "a"),
       "nested deeper than 64"},
      {"dict that holds itself", pth_of("}q\x01" + text_op("a") + "h\x01s"),
       "nested deeper than 64"},
      {"billion laughs", pth_of(laughs(10, 60)), "more than 262144 values"},
      {"one tensor many times",
       pth_of(good_tensor() + "q\x01" + "0(" + repeat("h\x01", 70000) + "t"),
       "more than 65536 tensors"},
      {"laughing texts", pth_of(megabyte + "q\x01(" + repeat("h\x01", 40) + "t\x86"),
       "more than 33554432 bytes"},
      {"laughing names",
       pth_of(good_tensor() +
              "q\x02"
              "0}" +
              megabyte + "(" + repeat("h\x02", 40) + "ts"),
       "more than 33554432 bytes"},
      {"opcodes", pth_of(repeat("N0", 300000)), "more than 524288 opcodes"},
      {"stack", pth_of(repeat("N", 300000)), "the stack grows beyond"},
      {"marks", pth_of(repeat("(", 300000)), "the stack grows beyond"},
      {"copies of a long tuple",
       pth_of("(" + repeat("N", 200000) +
              "tq\x01"
              "0" +
              repeat(global("pathlib", "Path") + "h\x01R0", 100000) + "N"),
       "more than 524288 opcodes"},
  });
  EXPECT_LT(std::clock() - start, 5 * CLOCKS_PER_SEC);
}

TEST(PthPickleAttacks, StoragesOfForgedShape) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  const auto tensor = [](int64_t offset, const std::vector<int64_t>& sizes,
                         const std::vector<int64_t>& strides) {
    return pth_of(tensor_of(good_storage(), offset, sizes, strides));
  };
  const auto stored = [](const std::string& type, const std::string& key, int64_t elements) {
    return pth_of(tensor_of(storage(type, key, elements), 0, {1}, {1}));
  };
  expect_refused({
      {"negative offset", tensor(-1, {2}, {1}), "negative"},
      {"offset beyond", tensor(12, {1}, {1}), "beyond its storage of 12"},
      {"empty, offset beyond", tensor(13, {0}, {1}), "beyond its storage of 12"},
      {"offset of 2^63-1", tensor(std::numeric_limits<int64_t>::max(), {2}, {1}),
       "beyond its storage"},
      {"one element too many", tensor(0, {13}, {1}), "beyond its storage of 12"},
      {"one row too many", tensor(1, {3, 4}, {4, 1}), "beyond its storage of 12"},
      {"negative stride", tensor(11, {4}, {-1}), "negative"},
      {"negative stride and size", tensor(0, {-4}, {-1}), "negative"},
      {"negative size", tensor(0, {-1}, {1}), "negative"},
      {"wide stride", tensor(0, {2}, {12}), "beyond its storage of 12"},
      {"sizes overflow", tensor(0, {kHuge, 8}, {0, 0}), "overflow 64 bits"},
      {"sizes overflow, then 0", tensor(0, {kHuge, 8, 0}, {0, 0, 0}), "overflow 64 bits"},
      {"strides overflow", tensor(0, {5}, {kHuge}), "overflow 64 bits"},
      {"strides wrap to 4", tensor(0, {3, 3}, {kHuge, kHuge}), "overflow 64 bits"},
      {"offset and strides overflow",
       tensor(std::numeric_limits<int64_t>::max(), {3, 2}, {kHuge, kHuge}), "overflow 64 bits"},
      {"fewer strides", tensor(0, {3, 4}, {1}), "2 sizes, but 1 strides"},
      {"33 dimensions", tensor(0, std::vector<int64_t>(33, 1), std::vector<int64_t>(33, 1)),
       "at most 32"},
      {"expanded to exabytes", tensor(0, {int64_t{1} << 58}, {0}), "not contiguous have more than"},
      {"expanded to 2^64 bytes", tensor(0, {kHuge}, {0}), "not contiguous have more than"},
      {"expanded to 17 MB", tensor(0, {17 << 18}, {0}), "not contiguous have more than"},
      {"larger storage", stored("FloatStorage", "0", 13), "has 48 bytes, 13 elements"},
      {"smaller storage", stored("FloatStorage", "0", 11), "has 48 bytes, 11 elements"},
      {"wider type", stored("DoubleStorage", "0", 12), "12 elements of F64"},
      {"negative storage", stored("FloatStorage", "0", -12), "negative number of elements"},
      {"storage overflows", stored("FloatStorage", "0", kHuge), "overflows 64 bits"},
      {"exabyte storage", stored("ByteStorage", "0", kHuge), "has 48 bytes"},
      {"absent storage", stored("FloatStorage", "1", 12), "\"1\" is not in the archive"},
      {"climbing key", stored("FloatStorage", "../data.pkl", 12), "is not in the archive"},
      {"long key", stored("FloatStorage", std::string(300, '0'), 12), "too many bytes"},
      {"one storage of two types",
       pth_of(good_tensor() + tensor_of(storage("IntStorage", "0", 12), 0, {1}, {1}) + "\x86"),
       "12 elements of I32 here, 12 of F32 before"},
      {"one storage of two sizes",
       pth_of(good_tensor() + tensor_of(storage("FloatStorage", "0", 6), 0, {1}, {1}) + "\x86"),
       "6 elements of F32 here"},
  });
}

TEST(PthPickleAttacks, TensorsOfTheWrongParts) {
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string zero("K\0", 2);
  const std::string start = "(" + good_storage() + zero + integers({2}) + integers({1});
  const std::string hooked = rebuild + start + "\x89" + empty_hooks() + text_op("x") + "Ns" + "tR";
  expect_refused({
      {"no arguments", pth_of(rebuild + ")R"), "with 0 arguments"},
      {"eight arguments", pth_of(rebuild + start + "\x89NNNtR"), "with 8 arguments"},
      {"no storage", pth_of(rebuild + "(N" + zero + "))\x89NtR"), "wants a storage"},
      {"offset is text", pth_of(rebuild + "(" + good_storage() + text_op("0") + "))\x89NtR"),
       "wants a storage"},
      {"size is a float",
       pth_of(rebuild + "(" + good_storage() + zero + "G" + std::string(8, '\0') + "\x85)\x89NtR"),
       "wants a storage"},
      {"sizes are a list", pth_of(rebuild + "(" + good_storage() + zero + "])\x89NtR"),
       "wants a storage"},
      {"hooks", pth_of(hooked), "backward hooks"},
      {"metadata", pth_of(rebuild + start + "\x89N}" + text_op("conj") + "\x88stR"), "metadata"},
      {"parameter of data", pth_of(global("torch._utils", "_rebuild_parameter") + "(N\x88NtR"),
       "wants a tensor"},
      {"parameter of a parameter",
       pth_of(global("torch._utils", "_rebuild_parameter") + "(" +
              global("torch._utils", "_rebuild_parameter") + "(" + good_tensor() +
              "\x88NtR\x88NtR"),
       "wants a tensor"},
  });
}

// In kilobytes, how much more memory the process took at its peak while it read this. To be called
// in a child of its own: the peak never falls.
long grown_by_reading(std::span<const std::byte> bytes) {
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  try {
    parse_pth(bytes, "bomb");
  } catch (const Error&) {
  }
  ::getrusage(RUSAGE_SELF, &after);
  return after.ru_maxrss - before.ru_maxrss;
}

// At most twice the file and 64 MB.
TEST(PthPickleAttacks, MemoryStaysWithinTheBudgets) {
  const std::string many = std::string("0(") + repeat("h\x01", 200000) + "t";
  const std::vector<std::string> bombs = {
      pth_of(repeat("]", 250000)),
      pth_of("(" + repeat(")\x85", 200000) + "t"),
      pth_of(repeat("}0", 260000) + "N"),
      pth_of("(" + repeat("}", 200000) + "t"),
      pth_of(laughs(4, 30)),
      pth_of("Nr" + le<uint32_t>((1 << 19) - 1)),
      pth_of("Nq\x01" + many),
      pth_of(good_tensor() + "q\x01" + "0(" + repeat("h\x01", 200000) + "t"),
      pth_of(global("torch._utils", "_rebuild_tensor_v2") + "q\x01" + "(" + good_storage() +
             integer(0) + integers({3, 4}) + integers({1, 3}) + "\x89NtRq\x02" + "0" + many),
      pth_of(tensor_of(good_storage(), 0, {4 << 20}, {0})),
      pth_of(text_op(std::string(20 << 20, 'a')) + "q\x01h\x01\x86"),
  };
  for (size_t i = 0; i < bombs.size(); ++i) {
    const std::vector<std::byte> bytes = bytes_of_text(bombs[i]);
    const int signal = signal_of_child([&] {
      const long grown = grown_by_reading(bytes);
      if (grown > (64 << 10) + 2 * static_cast<long>(bytes.size() >> 10)) {
        std::fprintf(stderr, "bomb %zu: %ld KB\n", i, grown);
        ::abort();
      }
    });
    EXPECT_EQ(signal, 0) << i;
  }
}

}  // namespace
}  // namespace fcm::formats
