# Third-party libraries as targets Outside::NAME, with the names of fcm/edges.txt. This file is also installed
# (fastconvmae-config.cmake.in), so that programs which link our libraries find their dependencies in the same way.
find_package(Threads REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(TIFF 4.5 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_path(FMT_INCLUDE fmt/format.h REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)  # used header-only (XXH_INLINE_ALL)
find_path(LIBDEFLATE_INCLUDE libdeflate.h REQUIRED)
find_library(LIBDEFLATE_LIBRARY deflate REQUIRED)
find_path(PROTOZERO_INCLUDE protozero/pbf_writer.hpp REQUIRED)  # header-only
find_path(WEBP_INCLUDE webp/decode.h REQUIRED)
find_library(WEBP_LIBRARY webp REQUIRED)
find_library(WEBPDEMUX_LIBRARY webpdemux REQUIRED)

# The system's {fmt}: headers and compiled library. LibTorch's wheel contains the headers of another {fmt} without a library, and
# its folder would be searched first; so this folder links to the system's headers and is searched before it.
set(_only_fmt "${CMAKE_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${_only_fmt}")
file(CREATE_LINK "${FMT_INCLUDE}/fmt" "${_only_fmt}/fmt" SYMBOLIC)

# Adds an interface target with `includes` and LIBRARIES.
function(fcm_add_outside name includes)
  if(NOT TARGET Outside::${name})
    add_library(Outside::${name} INTERFACE IMPORTED GLOBAL)
    target_include_directories(Outside::${name} INTERFACE "${includes}")
    target_link_libraries(Outside::${name} INTERFACE ${ARGN})
  endif()
endfunction()
fcm_add_outside(fmt "${_only_fmt}" fmt::fmt)
fcm_add_outside(toml "${TOMLPLUSPLUS_INCLUDE}")
fcm_add_outside(xxhash "${XXHASH_INCLUDE}")
fcm_add_outside(deflate "${LIBDEFLATE_INCLUDE}" "${LIBDEFLATE_LIBRARY}")
fcm_add_outside(protozero "${PROTOZERO_INCLUDE}")
fcm_add_outside(webp "${WEBP_INCLUDE}" "${WEBPDEMUX_LIBRARY}" "${WEBP_LIBRARY}")
