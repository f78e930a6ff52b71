# Runs at install time (Install.cmake). Its functions install the revision, the licences of libraries that are compiled in, and
# the bundled shared libraries with their licences.
# Inputs: `about`, `revision_header`, `program`.
set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
set(licences "${root}/share/doc/fastconvmae/licences")

function(fcm_install_revision)
  file(STRINGS "${revision_header}" revision REGEX "FCM_REVISION")
  string(REGEX REPLACE ".*\"(.*)\".*" "\\1" revision "${revision}")
  file(WRITE "${root}/share/doc/fastconvmae/version" "${about}, revision ${revision}\n")
endfunction()

# Installs the licence text of a Debian package, with the version at the top, and the common licences that it refers to.
function(fcm_install_licence package)
  execute_process(COMMAND dpkg-query -W -f "\${Version}" "${package}" OUTPUT_VARIABLE version COMMAND_ERROR_IS_FATAL ANY)
  file(READ "/usr/share/doc/${package}/copyright" text)
  file(WRITE "${licences}/${package}" "Debian package ${package}, version ${version}.\n\n${text}")
  string(REGEX MATCHALL "/usr/share/common-licenses/[A-Za-z]+(-[0-9]+(\\.[0-9]+)*)?" names "${text}")
  foreach(name IN LISTS names)
    if(EXISTS "${name}")
      file(REAL_PATH "${name}" file)
      get_filename_component(name "${name}" NAME)
      configure_file("${file}" "${licences}/common/${name}" COPYONLY)
    endif()
  endforeach()
endfunction()

# Licences of libraries that are compiled in. Without dpkg-query this does nothing.
function(fcm_install_licences_of_headers)
  find_program(DPKG_QUERY dpkg-query)
  if(NOT DPKG_QUERY)
    message(STATUS "no dpkg-query: licences of CLI11, toml++, nlohmann/json, xxHash, {fmt} and protozero are not installed")
    return()
  endif()
  foreach(package libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libxxhash-dev libfmt-dev libprotozero-dev)
    fcm_install_licence(${package})
  endforeach()
endfunction()

# Installs the program's shared libraries, except LibTorch, CUDA and those that every Linux with this glibc has (PEP 600).
function(fcm_install_private_libraries)
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "${program}" RESOLVED_DEPENDENCIES_VAR libraries
    UNRESOLVED_DEPENDENCIES_VAR missing
    PRE_EXCLUDE_REGEXES "^lib(torch|c10|gomp|cu|nv|nccl)[^/]*$" "^lib(c|m|dl|rt|pthread|util|stdc\\+\\+|gcc_s)\\.so" "^ld-linux")
  if(missing)
    message(FATAL_ERROR "${program} needs ${missing}, which were not found")
  endif()
  foreach(library IN LISTS libraries)
    get_filename_component(name "${library}" NAME)
    file(REAL_PATH "${library}" file)
    file(MAKE_DIRECTORY "${root}/lib/fastconvmae")
    file(COPY_FILE "${file}" "${root}/lib/fastconvmae/${name}" ONLY_IF_DIFFERENT)
    get_filename_component(file "${file}" NAME)
    execute_process(COMMAND dpkg-query -S "*/${file}" OUTPUT_VARIABLE owner COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX REPLACE ":.*" "" package "${owner}")
    fcm_install_licence(${package})
  endforeach()
endfunction()
