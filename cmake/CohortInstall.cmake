# cmake --install build/release --prefix /usr: where configs/server/cohortd.json and the systemd unit look for things. The
# presets agent-armel and agent-native are to be built first: what a board runs comes from them.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
install(TARGETS cohortd cohort RUNTIME DESTINATION bin)
install(TARGETS cohort-board RUNTIME DESTINATION lib/cohort)
foreach(arch armel x86-64)
	string(REPLACE x86-64 native preset ${arch})
	install(PROGRAMS ${CMAKE_SOURCE_DIR}/build/agents/cohort-agent-${arch} DESTINATION lib/cohort)
	install(PROGRAMS ${CMAKE_SOURCE_DIR}/build/agent-${preset}/jobs/coherence/coherence DESTINATION lib/cohort
		RENAME coherence-${arch})
endforeach()
install(PROGRAMS ${CMAKE_SOURCE_DIR}/jobs/builder/kbuild DESTINATION lib/cohort)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/web/ DESTINATION share/cohort/web FILES_MATCHING
	PATTERN *.html PATTERN *.css PATTERN *.js PATTERN *.svg)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs ${CMAKE_SOURCE_DIR}/docs DESTINATION share/doc/cohort USE_SOURCE_PERMISSIONS)
install(FILES ${CMAKE_SOURCE_DIR}/cli/cohort.bash-completion DESTINATION share/bash-completion/completions RENAME cohort)
install(FILES ${CMAKE_SOURCE_DIR}/configs/systemd/cohortd.service DESTINATION lib/systemd/system)
# Suites name their programs relative to itself, so that the tree may be moved (DESTDIR, packages).
install(CODE "
	set(root \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
	execute_process(COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/jobs/suites/make-suites --relative
		--place kbuild=\${root}/lib/cohort/kbuild
		--known ${CMAKE_SOURCE_DIR}/jobs/coherence/expectations.json
		\${root}/share/cohort/suites \${root}/lib/cohort/coherence-x86-64
		armel=\${root}/lib/cohort/coherence-armel x86-64=\${root}/lib/cohort/coherence-x86-64
		COMMAND_ERROR_IS_FATAL ANY)")
