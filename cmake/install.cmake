# cmake --install: the program and libquern with what programs need to use it. The C++ headers are not among it: they
# belong to the static archives, whose classes libquern does not export.
# Components: runtime (what a user's machine needs) and development (what a build needs).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS quern RUNTIME COMPONENT runtime)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
if(NOT TARGET quern_shared)
  return()
endif()

install(TARGETS quern_shared EXPORT quernTargets
        RUNTIME COMPONENT runtime
        LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
        ARCHIVE COMPONENT development)
install(FILES ${CMAKE_SOURCE_DIR}/include/quern/quern.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/quern
        COMPONENT development)
install(FILES ${CMAKE_SOURCE_DIR}/docs/c-api.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)

# Both kinds of package files find the prefix from where they lie, so an installed tree may be moved.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/quern)
install(EXPORT quernTargets NAMESPACE quern:: DESTINATION ${package_folder} COMPONENT development)
get_target_property(QUERN_ABI_VERSION quern_shared SOVERSION)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/quernConfig.cmake.in ${CMAKE_BINARY_DIR}/quernConfig.cmake
                              INSTALL_DESTINATION ${package_folder} NO_SET_AND_CHECK_MACRO)
# 0.x: a minor version may break what was built with an earlier one. From 1.0 on: SameMajorVersion.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/quernConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/quernConfig.cmake ${CMAKE_BINARY_DIR}/quernConfigVersion.cmake
        DESTINATION ${package_folder} COMPONENT development)

file(RELATIVE_PATH to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_CURRENT_LIST_DIR}/quern.pc.in ${CMAKE_BINARY_DIR}/quern.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/quern.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
