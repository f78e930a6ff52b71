# Writes HEADER with the program's version, the revision of SOURCE and the version of CLI11. Leaves the file alone if its text
# would be the same, since otherwise every build would relink.
set(revision unknown)
if(GIT)
  execute_process(COMMAND "${GIT}" -C "${SOURCE}" describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(revision "${described}")
  endif()
endif()
set(text "#pragma once
#define FCM_VERSION \"${VERSION}\"
#define FCM_REVISION \"${revision}\"
#define FCM_CLI11_VERSION \"${CLI11}\"
")
set(before "")
if(EXISTS "${HEADER}")
  file(READ "${HEADER}" before)
endif()
if(NOT before STREQUAL text)
  file(WRITE "${HEADER}" "${text}")
endif()
