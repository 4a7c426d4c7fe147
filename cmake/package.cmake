# What is installed where, and the Debian package made of it: cpack --config build/release/CPackConfig.cmake -G DEB
include(GNUInstallDirs)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
  WORLD_READ WORLD_EXECUTE)
set(private_directory OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE)
set(private_file OWNER_READ OWNER_WRITE GROUP_READ)
set(debian ${CMAKE_CURRENT_LIST_DIR}/debian)
set(doc ${CMAKE_INSTALL_DATADIR}/doc/leasehold)

target_link_options(leasehold PRIVATE LINKER:-z,relro,-z,now)  # no part of it is writable and called
install(TARGETS leasehold RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# --- the service: folders that systemd looks into, whatever the prefix ------------------------------------------------
install(FILES systemd/leasehold.service systemd/leasehold.socket DESTINATION /lib/systemd/system)
install(FILES systemd/leasehold.sysusers DESTINATION /usr/lib/sysusers.d RENAME leasehold.conf)
install(FILES systemd/leasehold.tmpfiles DESTINATION /usr/lib/tmpfiles.d RENAME leasehold.conf)
install(DIRECTORY DESTINATION /etc/leasehold DIRECTORY_PERMISSIONS ${private_directory})
install(FILES systemd/leasehold.yaml DESTINATION /etc/leasehold PERMISSIONS ${private_file})

# --- what people read -------------------------------------------------------------------------------------------------
install(FILES systemd/leasehold.yaml DESTINATION ${doc}/examples)
install(FILES README.md CHANGELOG.md DESTINATION ${doc})
install(FILES ${debian}/copyright DESTINATION ${doc})
install(DIRECTORY monitoring DESTINATION ${CMAKE_INSTALL_DATADIR}/leasehold OPTIONAL)

install(FILES docs/reference.md DESTINATION ${doc})
install(FILES docs/leasehold.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/leasehold)

# Compressed as dpkg wants it, without a time in it: the same build gives the same package.
function(install_compressed destination name)
  install(CODE "
    file(MAKE_DIRECTORY \"\$ENV{DESTDIR}${destination}\")
    execute_process(COMMAND ${ARGN} COMMAND gzip -9nc OUTPUT_FILE \"\$ENV{DESTDIR}${destination}/${name}.gz\"
                    COMMAND_ERROR_IS_FATAL ANY)")
endfunction()
install_compressed(/usr/share/doc/leasehold changelog cat ${debian}/changelog)

# What the program prints of itself.
install_compressed(/usr/share/man/man1 leasehold.1 $<TARGET_FILE:leasehold> reference --format leasehold.1)
install_compressed(/usr/share/man/man5 leasehold.yaml.5 $<TARGET_FILE:leasehold> reference --format leasehold.yaml.5)

function(install_printed destination name)
  install(CODE "
    file(MAKE_DIRECTORY \"\$ENV{DESTDIR}${destination}\")
    execute_process(COMMAND ${ARGN} OUTPUT_FILE \"\$ENV{DESTDIR}${destination}/${name}\" COMMAND_ERROR_IS_FATAL ANY)")
endfunction()
install_printed(/usr/share/bash-completion/completions leasehold $<TARGET_FILE:leasehold> completion bash)
install_printed(/usr/share/zsh/vendor-completions _leasehold $<TARGET_FILE:leasehold> completion zsh)
install_printed(/usr/share/fish/vendor_completions.d leasehold.fish $<TARGET_FILE:leasehold> completion fish)

# --- the package ------------------------------------------------------------------------------------------------------
set(CPACK_PACKAGE_NAME leasehold)
set(CPACK_PACKAGE_CONTACT "The leasehold developers <leasehold@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "connection pools for PostgreSQL, MySQL and MariaDB")
set(CPACK_PACKAGE_DESCRIPTION
"leasehold stands between applications and their databases, lets many clients
share few server connections, and takes a connection back only when the
transaction on it has ended, so that a client which leaves in the middle costs
nobody anything. Applications change host and port, nothing else.
.
It is one daemon with one YAML file, run by systemd; `leasehold check` names
every mistake in that file.")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus, postgresql, mariadb-server")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)
include(CPack)
