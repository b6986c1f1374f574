# shellcheck shell=bash
# lib.sh - what the set-up scripts share: messages, timed steps, and artefacts that are made once.
#
# An artefact is a directory $cache_root/KIND/NAME-KEY, where KEY is a hash of everything that goes
# into it. It is built beside its place and renamed when complete, under a lock, so that whoever sees
# it sees all of it and two runs at once make it once. Scripts print results on stdout and progress
# on stderr.

setup_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # used by the scripts that read this file
repo_dir=${setup_dir%/*}
cache_root=${XDG_CACHE_HOME:-$HOME/.cache}/cohort

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "${0##*/}: $*"
	exit 1
}

# Stop unless the commands in $@ are on the PATH; what to do about it is said once.
need_commands() {
	local name missing=()

	for name in "$@"; do
		command -v "$name" >/dev/null || missing+=("$name")
	done
	[ ${#missing[@]} -eq 0 ] || die "not found: ${missing[*]} (run setup/install first)"
}

# The first 16 digits of the SHA-256 of stdin: what keys are made of.
hash_stdin() {
	sha256sum | cut -c1-16
}

# Hash the contents of the given files, names left out, so that a checkout may lie anywhere.
hash_files() {
	cat -- "$@" | hash_stdin
}

# Run "$@" in a subshell with set -e, its output in file $1; on failure show the end of it and stop.
run_logged() {
	local log=$1 status
	shift
	mkdir -p "${log%/*}"
	set +e
	(
		set -euo pipefail
		"$@"
	) >"$log" 2>&1
	status=$?
	set -e
	if [ "$status" -ne 0 ]; then
		tail -n 30 "$log" >&2
		die "$1 failed with status $status; the whole log is $log"
	fi
}

# Remove what artefacts of this kind and name had other keys once, and nobody has asked for in a month.
forget_unused() {
	local hex='[0-9a-f]'

	find "$cache_root/$1" -mindepth 1 -maxdepth 1 -type d -mtime +30 -name "$2-$hex$hex$hex$hex$hex$hex$hex$hex$hex$hex$hex$hex$hex$hex$hex$hex" \
		-exec rm -rf {} +
}

# artifact KIND NAME KEY WHAT BUILDER [ARG...]: set $artifact_dir to the artefact's directory, making
# it if need be by BUILDER DIR ARG..., a function that fills the empty directory DIR. WHAT is the
# progress line, empty for what takes no time. With COHORT_MADE_ONLY in the environment nothing is
# made: what is not there is an error. Never call it where bash ignores set -e (if, ||, &&).
artifact() {
	local kind=$1 name=$2 key=$3 what=$4 builder=$5 lock tmp started
	shift 5
	artifact_dir=$cache_root/$kind/$name-$key
	if [ -e "$artifact_dir" ]; then
		touch -c "$artifact_dir" || true # when it was last of use, for forget_unused
		return 0
	fi
	[ -z "${COHORT_MADE_ONLY:-}" ] || die "$kind/$name-$key is not made yet: run setup/all"

	mkdir -p "$cache_root/$kind"
	exec {lock}>"$cache_root/$kind/.lock-$name"
	if ! flock -n "$lock"; then
		say "${what:-$name}: another run is at it, waiting"
		flock "$lock"
	fi
	if [ ! -e "$artifact_dir" ]; then
		started=$SECONDS
		[ -z "$what" ] || say "$what ..."
		tmp=$cache_root/$kind/.tmp-$name
		rm -rf "$tmp"
		mkdir "$tmp"
		run_logged "$cache_root/log/$kind-$name.log" "$builder" "$tmp" "$@"
		mv -T "$tmp" "$artifact_dir"
		touch "$artifact_dir"
		forget_unused "$kind" "$name"
		[ -z "$what" ] || say "$what: done in $((SECONDS - started)) s"
	fi
	exec {lock}>&-
}
