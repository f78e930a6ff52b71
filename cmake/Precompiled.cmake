# Precompiled headers that every folder reuses: fcm_precompiled for folders without LibTorch, fcm_precompiled_torch for
# the others. A header belongs here only if most files include it: every file that reuses the precompiled header
# instantiates the templates of its inline functions again, used or not (ATen 1.2 s, nlohmann/json 0.4 s,
# torch/csrc/autograd/custom_function.h 0.9 s).

file(WRITE "${PROJECT_BINARY_DIR}/precompiled.cpp.in" "")
configure_file("${PROJECT_BINARY_DIR}/precompiled.cpp.in" "${PROJECT_BINARY_DIR}/precompiled.cpp" COPYONLY)
set(headers
  <algorithm> <array> <atomic> <charconv> <chrono> <cmath> <cstdint> <cstring> <filesystem> <fstream> <functional> <limits>
  <map> <memory> <mutex> <numeric> <optional> <set> <span> <stdexcept> <string> <string_view> <thread> <utility> <vector>
  <fmt/format.h> <fmt/ranges.h>)

add_library(fcm_precompiled OBJECT "${PROJECT_BINARY_DIR}/precompiled.cpp")
target_link_libraries(fcm_precompiled PRIVATE Outside::fmt fcm_warnings)
target_precompile_headers(fcm_precompiled PRIVATE ${headers})

add_library(fcm_precompiled_torch OBJECT "${PROJECT_BINARY_DIR}/precompiled.cpp")
target_link_libraries(fcm_precompiled_torch PRIVATE Outside::fmt LibTorch::cpu fcm_warnings)
target_precompile_headers(fcm_precompiled_torch PRIVATE ${headers} <ATen/ATen.h> <ATen/Parallel.h> <ATen/core/grad_mode.h>)
