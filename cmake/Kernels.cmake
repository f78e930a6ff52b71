# Files compiled for one instruction set, called only after a check at run time: those whose names end in _plain.cpp, _avx2.cpp,
# _avx512.cpp, _vnni.cpp, _bf16.cpp or _amx.cpp, and one generated file per table and instruction set of fcm/ops/kernels.txt.
set(FCM_FLAGS_plain -O3)
set(FCM_FLAGS_avx2 -O3 -mavx2 -mfma -mf16c)
set(avx512 -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq)
set(FCM_FLAGS_avx512 ${avx512} -mavx2 -mfma -mf16c -mprefer-vector-width=512)
# GCC 12 warns about undefined registers in its own intrinsics headers.
set(FCM_FLAGS_vnni ${avx512} -mavx512vnni -mprefer-vector-width=512 -Wno-uninitialized -Wno-maybe-uninitialized)
set(FCM_FLAGS_bf16 ${avx512} -mavx512bf16 -mprefer-vector-width=512 -Wno-uninitialized -Wno-maybe-uninitialized)
set(FCM_FLAGS_amx ${avx512} -mavx512bf16 -mamx-tile -mamx-bf16 -mavx2 -mfma -mf16c -mprefer-vector-width=512)

# Reads "table: file isa isa ..." lines and generates a file TABLE_ISA.cpp for each isa; returns their names in `out`.
function(fcm_write_kernels list out)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${list}")
  file(STRINGS "${list}" lines REGEX "^[a-z0-9_]+:")
  set(sources "")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE ":? +" ";" isas "${line}")
    list(POP_FRONT isas table file)
    foreach(isa IN LISTS isas)
      configure_file("${PROJECT_SOURCE_DIR}/cmake/kernel.cpp.in" "${PROJECT_BINARY_DIR}/kernels/${table}_${isa}.cpp" @ONLY)
      list(APPEND sources "${PROJECT_BINARY_DIR}/kernels/${table}_${isa}.cpp")
    endforeach()
  endforeach()
  set(${out} "${sources}" PARENT_SCOPE)
endfunction()

# Sets the compiler flags of files for one instruction set.
function(fcm_set_flags_of_kernels)
  foreach(source IN LISTS ARGN)
    if(source MATCHES "_(plain|avx2|avx512|vnni|bf16|amx)\\.cpp$")
      set_source_files_properties("${source}" PROPERTIES SKIP_PRECOMPILE_HEADERS ON
        COMPILE_OPTIONS "${FCM_FLAGS_${CMAKE_MATCH_1}}")
    endif()
  endforeach()
endfunction()
