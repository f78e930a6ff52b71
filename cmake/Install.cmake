# Lists everything that is installed, by component. All packages are built from this list.
#   program   the program and its launcher                                               in every package
#   data      recipes, completions and man pages, licences, the revision                 in every package
#   private   shared libraries that another machine may lack, with their licences        in wheel and tarball
#   checks    programs that check a GPU                                                  in the tarball
#   built     the path of this build's LibTorch, for the launcher                        in no package
#   library   static libraries, headers, files for CMake and pkg-config (InstallLibrary) in no package
# `cmake --install` installs program, data, built and library. If FASTCONVMAE_CUDA is CHECK, program_cuda and checks_cuda are the
# components program and checks linked with CUDA.
string(REGEX MATCH "^[0-9]+\\.[0-9]+" FCM_TORCH_SERIES "${LibTorch_VERSION}")
include(InstallLibrary)
find_program(STRIP strip REQUIRED)

# Installs a program as libexec/fastconvmae/NAME and its launcher as bin/NAME. Further arguments go to every install rule.
function(fcm_install_program target name)
  set(FCM_TORCH_LIBRARY libtorch_cpu.so)
  if(FASTCONVMAE_CUDA STREQUAL "ON" OR target MATCHES "_cuda$")
    set(FCM_TORCH_LIBRARY libtorch_cuda.so)
  endif()
  set(launcher "${PROJECT_BINARY_DIR}/generated/launcher-${FCM_TORCH_LIBRARY}.sh")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/launcher.sh.in" "${launcher}" @ONLY)
  install(PROGRAMS "${launcher}" DESTINATION bin RENAME ${name} ${ARGN})
  install(PROGRAMS "$<TARGET_FILE:${target}>" DESTINATION libexec/fastconvmae RENAME ${name} ${ARGN})
  # Removes the path of this machine's LibTorch; the launcher finds LibTorch.
  install(CODE "set(program \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/libexec/fastconvmae/${name}\")
    file(RPATH_REMOVE FILE \"\${program}\")
    if(CMAKE_INSTALL_DO_STRIP)
      execute_process(COMMAND \"${STRIP}\" \"\${program}\" COMMAND_ERROR_IS_FATAL ANY)
    endif()" ${ARGN})
endfunction()

fcm_install_program(fastconvmae fastconvmae COMPONENT program)
set(checks "")
if(GTest_FOUND)
  set(checks parity test_ops test_train)
endif()
foreach(check IN LISTS checks)
  fcm_install_program(${check} ${check} COMPONENT checks EXCLUDE_FROM_ALL)
endforeach()
set(of_checks checks)
if(FASTCONVMAE_CUDA STREQUAL "CHECK")
  fcm_install_program(fastconvmae_cuda fastconvmae COMPONENT program_cuda EXCLUDE_FROM_ALL)
  foreach(check IN LISTS checks)
    fcm_install_program(${check}_cuda ${check} COMPONENT checks_cuda EXCLUDE_FROM_ALL)
  endforeach()
  list(APPEND of_checks checks_cuda)
endif()
foreach(component IN LISTS of_checks)
  install(PROGRAMS "${PROJECT_SOURCE_DIR}/scripts/gpu-checks.sh" DESTINATION . COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/recipes/" DESTINATION share/fastconvmae/recipes COMPONENT data
  FILES_MATCHING PATTERN "*.toml")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION share/doc/fastconvmae RENAME copyright COMPONENT data)
set(facts "set(about \"fastconvmae ${PROJECT_VERSION}, LibTorch ${LibTorch_VERSION}\")
  set(revision_header \"${PROJECT_BINARY_DIR}/generated/apps/revision.h\")
  set(program \"$<TARGET_FILE:fastconvmae>\")
  include(\"${PROJECT_SOURCE_DIR}/cmake/Licences.cmake\")")
install(CODE "${facts}\nfcm_install_revision()\nfcm_install_licences_of_headers()" COMPONENT data)
install(CODE "${facts}\nfcm_install_private_libraries()" COMPONENT private EXCLUDE_FROM_ALL)
install(CODE "file(WRITE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/fastconvmae/libtorch-path\" \"${LIBTORCH_ROOT}\\n\")"
  COMPONENT built)

# The .deb: `cpack` builds it from the installed files (scripts/deb.sh) and looks up which Debian packages provide the libraries.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "the fastconvmae authors")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "the fastconvmae authors <fastconvmae@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "fast masked-image pretraining: Fast ConvMAE, ConvMAE, MAE, SimMIM, GreenMIM")
set(CPACK_PACKAGE_DESCRIPTION "Pretrains, fine-tunes and evaluates image encoders, reads and writes checkpoints of PyTorch programs.
LibTorch ${FCM_TORCH_SERIES} is not in Debian: it comes with the torch package of PyPI, which the command looks for (FASTCONVMAE_TORCH).")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "python3-venv")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "dataset-fashion-mnist")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL program data)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${LIBTORCH_ROOT}/torch/lib")
include(CPack)
