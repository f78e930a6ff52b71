# Unity build: up to FCM_FILES_OF_UNIT files of a folder are compiled as one translation unit. Templates of LibTorch and of
# the JSON library are then instantiated once for a unit instead of once for a file, which takes 1 to 3 s each time. The files
# of a unit share one anonymous namespace. A name in it must therefore be unique within a folder of fcm/ or tests/, and among
# all files named op.cpp. FASTCONVMAE_UNITY=OFF compiles each file separately, which is faster while editing a single file.
option(FASTCONVMAE_UNITY "compile files of one folder together" ON)
set(FCM_FILES_OF_UNIT 10)
# Targets without a unity build: several encoders define the same names in their anonymous namespaces, and each emulator test
# includes the sources of kernels.
set(FCM_NOT_UNITED fcm_encoder test_emulator)

# Combines the files of a target into units, except files with compiler flags of their own.
function(fcm_unite target)
  if(NOT FASTCONVMAE_UNITY OR target IN_LIST FCM_NOT_UNITED)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  set(folders "")
  set(united "")
  foreach(source IN LISTS sources)
    get_source_file_property(flags "${source}" COMPILE_OPTIONS)
    if(flags)
      continue()
    endif()
    get_filename_component(folder "${source}" DIRECTORY)
    get_filename_component(name "${source}" NAME)
    if(name STREQUAL "op.cpp")  # the first autograd function of a unit costs 9 s of LibTorch's templates
      get_filename_component(folder "${folder}" DIRECTORY)
      set(folder "${folder}/op")
    endif()
    file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${folder}")
    string(MAKE_C_IDENTIFIER "${folder}" folder)
    list(APPEND united "${source}")
    list(APPEND folders ${folder})
    list(APPEND files_of_${folder} "${source}")
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder IN LISTS folders)
    list(LENGTH files_of_${folder} count)
    math(EXPR units "(${count} + ${FCM_FILES_OF_UNIT} - 1) / ${FCM_FILES_OF_UNIT}")
    set(place 0)
    foreach(source IN LISTS files_of_${folder})
      math(EXPR unit "${place} * ${units} / ${count}")
      set_source_files_properties("${source}" PROPERTIES UNITY_GROUP ${folder}_${unit})
      math(EXPR place "${place} + 1")
    endforeach()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)

  # Lists each file separately in compile_commands.json, for clang-tidy and editors. It is never built.
  add_library(${target}_apart OBJECT EXCLUDE_FROM_ALL ${united})
  foreach(property LINK_LIBRARIES INCLUDE_DIRECTORIES COMPILE_DEFINITIONS COMPILE_OPTIONS PRECOMPILE_HEADERS_REUSE_FROM)
    get_target_property(value ${target} ${property})
    if(value)
      set_target_properties(${target}_apart PROPERTIES ${property} "${value}")
    endif()
  endforeach()
endfunction()
