// Handmade pickles that would run code in Python, or read beyond a storage. The error must name the
// rule that refuses them.
#include "tests/formats/pth_support.h"

namespace fcm::formats {
namespace {

// In Python's unpickler, each of these names would run a command or be a step towards it.
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

// Names of functions that run code are an error even if the pickle does not call them.
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
                       "is not allowed: it runs code in Python"});
  }
  expect_refused(attacks);
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
      {"call of data", pth_of("K\x01)R"), "not a global"},
      {"call of a call", pth_of(dict + ")R)R"), "not a global"},
      {"call without a tuple", pth_of(dict + "]R"), "without a tuple"},
      {"call of a storage type", pth_of(global("torch", "FloatStorage") + "K\x01\x85R"),
       "is not called"},
      {"function made as an object", pth_of(global("torch._utils", "_rebuild_tensor_v2") + ")\x81"),
       "not constructed by NEWOBJ"},
      {"path made as an object", pth_of(global("pathlib", "Path") + ")\x81"),
       "not constructed by NEWOBJ"},
      {"OrderedDict of items", pth_of(dict + "]\x85R"), "with arguments"},
      {"Namespace of items", pth_of(space + "}\x85\x81"), "with arguments"},
      {"build a dict", pth_of("}}b"), "BUILD of something that is neither"},
      {"build a list", pth_of("]}b"), "BUILD of something that is neither"},
      {"build a global", pth_of(dict + "}b"), "BUILD of something that is neither"},
      {"build from a tuple",
       pth_of(space + ")\x81N}\x86"
                      "b"),
       "BUILD with something that is not a dict"},
      {"build twice", pth_of(space + ")\x81}b}b"), "BUILD of something that is neither"},
      {"member without a name", pth_of(space + ")\x81}K\x01Nsb"), "whose name is not a string"},
      {"encode otherwise", pth_of(encode + text_op("a") + text_op("rot13") + "\x86R"), "latin1"},
      {"encode wide text", pth_of(encode + text_op("\xe2\x82\xac") + text_op("latin1") + "\x86R"),
       "not latin1"},
      {"path of numbers", pth_of(global("pathlib", "Path") + "K\x01\x85R"), "parts are not text"},
      {"size of text", pth_of(global("torch", "Size") + text_op("a") + "\x85\x85R"), "torch.Size"},
      {"stack_global of numbers", pth_of("K\x01K\x02\x93"), "without two texts"},
      {"name without an end", pth_of("c" + std::string(1000, 'a')), "more than 256 bytes"},
      {"persistent id is text", pth_of(text_op("os.system") + "Q"), "not a storage"},
      {"persistent module", pth_of("(" + text_op("module") + "NNNNtQ"), "not a storage"},
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
      {"append to a dict", pth_of("}Na"), "APPEND to something that is not a list"},
      {"append to a tuple", pth_of(")Na"), "APPEND to something that is not a list"},
      {"item of a list", pth_of("]NNs"), "SETITEM on something that is not a dict"},
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
      {"class as a value", pth_of(global("torch", "FloatStorage")), "in place of data"},
      {"function as the file", pth_of(global("_codecs", "encode")), "in place of data"},
      {"storage as a value", pth_of(good_storage()), "a storage in place of data"},
      {"duplicate key", pth_of("}(" + text_op("a") + "N" + text_op("a") + "Nu"), "duplicate key"},
      {"1 and True", pth_of("}(K\x01N\x88Nu"), "duplicate key"},
      {"1 and 1.0", pth_of("}(K\x01NG" + std::string("\x3f\xf0\0\0\0\0\0\0", 8) + "Nu"),
       "duplicate key"},
      {"list as a key", pth_of("}]Ns"), "neither a string nor a number"},
      {"tensor as a key", pth_of("}" + good_tensor() + "Ns"), "neither a string nor a number"},
      {"no UTF-8", pth_of(text_op("\xc0\x80")), "not UTF-8"},
      {"two tensors of one name",
       pth_of("}(" + text_op("a.b") + good_tensor() + text_op("a") + "}" + text_op("b") +
              good_tensor() + "su"),
       "a second tensor of this name"},
  });
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
      {"expanded to exabytes", tensor(0, {int64_t{1} << 58}, {0}),
       "non-contiguous tensors have more than"},
      {"expanded to 2^64 bytes", tensor(0, {kHuge}, {0}), "non-contiguous tensors have more than"},
      {"expanded to 17 MB", tensor(0, {17 << 18}, {0}), "non-contiguous tensors have more than"},
      {"larger storage", stored("FloatStorage", "0", 13), "has 48 bytes, expected 13 elements"},
      {"smaller storage", stored("FloatStorage", "0", 11), "has 48 bytes, expected 11 elements"},
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
      {"no storage", pth_of(rebuild + "(N" + zero + "))\x89NtR"), "expects a storage"},
      {"offset is text", pth_of(rebuild + "(" + good_storage() + text_op("0") + "))\x89NtR"),
       "expects a storage"},
      {"size is a float",
       pth_of(rebuild + "(" + good_storage() + zero + "G" + std::string(8, '\0') + "\x85)\x89NtR"),
       "expects a storage"},
      {"sizes are a list", pth_of(rebuild + "(" + good_storage() + zero + "])\x89NtR"),
       "expects a storage"},
      {"hooks", pth_of(hooked), "backward hooks"},
      {"metadata", pth_of(rebuild + start + "\x89N}" + text_op("conj") + "\x88stR"), "metadata"},
      {"parameter of data", pth_of(global("torch._utils", "_rebuild_parameter") + "(N\x88NtR"),
       "expects a tensor"},
      {"parameter of a parameter",
       pth_of(global("torch._utils", "_rebuild_parameter") + "(" +
              global("torch._utils", "_rebuild_parameter") + "(" + good_tensor() +
              "\x88NtR\x88NtR"),
       "expects a tensor"},
  });
}

}  // namespace
}  // namespace fcm::formats
