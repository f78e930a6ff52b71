// The content of a .pth file as plain data, without the bytes of its tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fcm::formats {

// A tree of Python values. Objects are kept as data; no Python code is ever called.
struct Value {
  using List = std::vector<Value>;
  struct Tuple {
    List items;
  };
  struct Item;
  struct Dict {
    std::vector<Item> items;  // in the order of the file, keys unique
    bool ordered = false;     // collections.OrderedDict
  };
  struct Bytes {
    std::string data;
  };
  struct Size {  // torch.Size
    std::vector<int64_t> extents;
  };
  struct Namespace {  // argparse.Namespace, or a TorchScript module: attributes by name
    Dict members;
  };
  struct Path {  // pathlib.PosixPath, pathlib.WindowsPath, ...
    std::string text;
  };
  struct Opaque {      // a value that is not read, such as an object of an unknown class
    std::string what;  // class name or description, "numpy.dtype"; UTF-8
    Dict members;      // its attributes, or its items if its class is a kind of dict
  };
  struct Tensor {
    size_t index = 0;        // index into PthFile::tensors
    bool parameter = false;  // torch.nn.Parameter
  };

  std::variant<std::monostate, bool, int64_t, double, std::string, Bytes, List, Tuple, Dict, Size,
               Namespace, Path, Opaque, Tensor>
      data;

  // The entries of a Dict, or the members of a Namespace or an Opaque; nullptr for other values.
  const Dict* entries() const;
  // The entry with this string key; nullptr if there is none.
  const Value* find(std::string_view key) const;
};

struct Value::Item {
  Item(Value its_key, Value its_value) : key(std::move(its_key)), value(std::move(its_value)) {}
  Value key, value;
};

}  // namespace fcm::formats
