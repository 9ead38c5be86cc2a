# quern_c_header(FILE): reads quern.h for its version and its functions.
#   QUERN_ABI_VERSION  the number behind #define
#   QUERN_FUNCTIONS    the names of all functions declared with QUERN_API
function(quern_c_header file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  string(REGEX MATCH "\n#define QUERN_ABI_VERSION ([0-9]+)" found "${text}")
  set(QUERN_ABI_VERSION ${CMAKE_MATCH_1} PARENT_SCOPE)
  string(REGEX MATCHALL "\nQUERN_API [^(]*\\(" declarations "${text}")
  list(TRANSFORM declarations REPLACE "^.*(quern_[a-z0-9_]+)\\($" "\\1")
  set(QUERN_FUNCTIONS ${declarations} PARENT_SCOPE)
endfunction()

# quern_export_only(TARGET NODE FUNCTION...): of all that is linked into the shared library, other people's archives
# too, only these functions can be seen from outside. On ELF they carry the version NODE, so that two ABI versions may
# live in one process. Windows needs nothing: there QUERN_API decides.
function(quern_export_only target node)
  if(APPLE)
    list(TRANSFORM ARGN PREPEND "_" OUTPUT_VARIABLE names)
    list(JOIN names "\n" text)
    set(list_file ${CMAKE_CURRENT_BINARY_DIR}/${target}.exports)
    set(options LINKER:-exported_symbols_list,${list_file} LINKER:-dead_strip)
  elseif(UNIX)
    list(JOIN ARGN ";\n  " names)
    set(text "${node} {\nglobal:\n  ${names};\nlocal:\n  *;\n};")
    set(list_file ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
    # Nothing undefined, tables of addresses read-only once they are filled, only libraries that are used.
    set(options LINKER:--version-script=${list_file} LINKER:-z,defs LINKER:-z,relro LINKER:-z,now
                LINKER:--as-needed LINKER:--gc-sections)
  else()
    return()
  endif()
  file(CONFIGURE OUTPUT ${list_file} CONTENT "${text}\n" @ONLY)
  target_link_options(${target} PRIVATE ${options})
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${list_file})
endfunction()
