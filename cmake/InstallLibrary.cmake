# Installs the folders of fcm/ as static libraries for other programs, component `library`. Four targets are public
# (docs/install.md): fastconvmae::formats, ::image and ::loader, without LibTorch, and ::models, which contains everything up to
# fcm/tasks. All other targets are internal and may change.
include(CMakePackageConfigHelpers)
set(package_files lib/cmake/fastconvmae)
set(public_name_of_formats formats)
set(public_name_of_image image)
set(public_name_of_loader loader)
set(public_name_of_tasks models)

# A pkg-config file, with the same dependencies.
function(fcm_install_pc name)
  set(pc_fmt fmt)
  set(pc_jpeg libjpeg)
  set(pc_png libpng)
  set(pc_webp libwebpdemux libwebp)
  set(pc_tiff libtiff-4)
  set(pc_zlib zlib)
  set(pc_json nlohmann_json)
  set(pc_toml "")  # header-only
  set(pc_xxhash "")
  set(pc_protozero "")
  set(pc_deflate libdeflate)
  set(requires "")
  foreach(edge IN LISTS FCM_EDGES_${name} ITEMS fmt)
    if(DEFINED pc_${edge})
      list(APPEND requires ${pc_${edge}})
    else()
      list(APPEND requires "fastconvmae-${edge} = ${PROJECT_VERSION}")
    endif()
  endforeach()
  list(JOIN requires ", " requires)
  set(file "${PROJECT_BINARY_DIR}/generated/fastconvmae-${name}.pc")
  # Relative to lib/pkgconfig, so that an installed tree can be moved.
  file(WRITE "${file}" "prefix=\${pcfiledir}/../..
Name: fastconvmae-${name}
Description: fcm/${name} of fastconvmae; compile as C++20
Version: ${PROJECT_VERSION}
Requires: ${requires}
Cflags: -I\${prefix}/include
Libs: -L\${prefix}/lib -lfcm_${name}
")
  install(FILES "${file}" DESTINATION lib/pkgconfig COMPONENT library)
endfunction()

# Folders without LibTorch form a separate export, so that they can be used without it.
foreach(name IN LISTS FCM_FOLDERS)
  if(NOT IS_DIRECTORY "${PROJECT_SOURCE_DIR}/fcm/${name}")
    continue()  # reference and bench are not part of the library
  endif()
  if(name IN_LIST FCM_TORCH_FOLDERS)
    set(export torch)
  else()
    set(export plain)
    fcm_install_pc(${name})
  endif()
  if(DEFINED public_name_of_${name})
    set_target_properties(fcm_${name} PROPERTIES EXPORT_NAME ${public_name_of_${name}})
  endif()
  install(TARGETS fcm_${name} EXPORT fastconvmae-${export} ARCHIVE DESTINATION lib COMPONENT library INCLUDES DESTINATION include)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/fcm/${name}" DESTINATION include/fcm COMPONENT library
    FILES_MATCHING PATTERN "*.h" PATTERN declarations EXCLUDE)
endforeach()
target_compile_features(fcm_base INTERFACE cxx_std_20)
if(FASTCONVMAE_CUDA STREQUAL "ON")
  install(TARGETS fcm_cuda EXPORT fastconvmae-torch ARCHIVE DESTINATION lib COMPONENT library INCLUDES DESTINATION include)
endif()

foreach(export plain torch)
  install(EXPORT fastconvmae-${export} NAMESPACE fastconvmae:: DESTINATION ${package_files} COMPONENT library)
endforeach()
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/fastconvmae-config.cmake.in"
  "${PROJECT_BINARY_DIR}/generated/fastconvmae-config.cmake" INSTALL_DESTINATION ${package_files})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/generated/fastconvmae-config-version.cmake"
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/generated/fastconvmae-config.cmake"
  "${PROJECT_BINARY_DIR}/generated/fastconvmae-config-version.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/Outside.cmake" "${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake"
  DESTINATION ${package_files} COMPONENT library)
