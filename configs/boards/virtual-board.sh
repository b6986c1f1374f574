# shellcheck shell=bash disable=SC2154 # its variables are set by the programs
# What qemu-board and emu-board share: keys, files, the verbs. Sourced, by a program that has set
#
#   vm_name       its emulator in the names of files: qemu, emu
#   vm_machines   machines that init takes
#   vm_commands   what must be installed to run one
#   vm_init               make what only this emulator needs
#   vm_makes_dtb MACHINE  whether the emulator makes the device tree, so that no build brings one
#   vm_forgets            whether the board has no disk: then the farm's files come with its archive
#   vm_start              start what is in $dir/boot, in the background, with $dir/$vm_name.pid an argument
#                         of its own; $lock is the lock's descriptor, which it may not keep
#   vm_reset              reset the running machine, or fail

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

need_commands() {
	local name

	for name in "$@"; do
		command -v "$name" >/dev/null || die "$name is not installed (run setup/install)"
	done
}

usage() {
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

make_keys() {
	[ -e "$dir/id_ed25519" ] ||
		ssh-keygen -q -t ed25519 -N '' -C "cohort to ${dir##*/}" -f "$dir/id_ed25519"
	[ -e "$dir/host_key" ] ||
		dropbearkey -t ed25519 -f "$dir/host_key" >/dev/null 2>&1 ||
		die "dropbearkey could not make $dir/host_key"
	dropbearkey -y -f "$dir/host_key" | grep '^ssh-ed25519 ' >"$dir/host_key.pub"
}

# The archive that is appended to every initramfs: who the board is, and who may log in.
make_overlay() {
	local root

	root=$(mktemp -d "$dir/overlay.XXXXXX")
	mkdir -p "$root/etc/dropbear" "$root/root/.ssh"
	chmod 700 "$root/root" "$root/root/.ssh"
	install -m 600 "$dir/host_key" "$root/etc/dropbear/dropbear_ed25519_host_key"
	install -m 600 "$dir/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
	# Not the top directory itself: its mode here would become that of the board's root.
	(cd "$root" && find etc root | LC_ALL=C sort |
		cpio -o -H newc -R 0:0 --quiet | gzip -n) >"$dir/overlay.cpio.gz"
	rm -rf "$root"
}

board_init() {
	local machine=$1 port=$2

	[[ " ${vm_machines[*]} " = *" $machine "* ]] || die "no such machine: $machine (${vm_machines[*]})"
	if ! [[ $port =~ ^[1-9][0-9]{0,4}$ ]] || [ "$port" -gt 65535 ]; then
		die "not a port: $port"
	fi
	need_commands ssh-keygen dropbearkey cpio gzip
	vm_init
	printf '%s\n' "$machine" >"$dir/machine"
	printf '%s\n' "$port" >"$dir/port"
	make_keys
	make_overlay
}

# Print the PID of this board's emulator, or fail: a PID that now belongs to another program is not it.
running_pid() {
	local pid

	pid=$(cat "$dir/$vm_name.pid" 2>/dev/null) || return 1
	[[ $pid =~ ^[0-9]+$ ]] || return 1
	tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$dir/$vm_name.pid" || return 1
	printf '%s\n' "$pid"
}

# Send signal $1 to the emulator, and wait until it has ended, $2 seconds at most. A zombie has ended: whoever
# inherited the daemon may take a while to reap it.
end_vm() {
	local pid deadline=$((SECONDS + $2))

	pid=$(running_pid) || return 0
	kill "-$1" "$pid" 2>/dev/null || return 0
	while running_pid >/dev/null; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

board_off() {
	end_vm TERM 5 || end_vm KILL 5 || die "the emulator does not end"
}

# Add archive $2 to initramfs $1, unpacked: the board would take longer for that than for the rest of its boot. What is not
# only gzip stays as it is; the next one begins at a word, or the kernel does not find it.
add_archive() {
	local part=$1.part

	zcat "$2" >"$part" 2>/dev/null || cp "$2" "$part"
	truncate -s %4 "$part"
	cat "$part" >>"$1"
	rm -f "$part"
}

# The archive, made in directory $1, of what the farm would send next, COHORT_FILES: lines of a SHA-256 and a path here.
# The farm looks at what the board has before it sends anything.
stage_files() {
	local tree=$1 sum path root=${COHORT_ROOT:-}

	[[ -n ${COHORT_FILES:-} && $root = /* ]] || return 0
	(umask 022 && mkdir -p "$tree$root/files")
	while read -r sum path; do
		[ -z "$sum" ] || install -m 755 "$path" "$tree$root/files/$sum"
	done <<<"$COHORT_FILES"
	(cd "$tree" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet)
	rm -rf "$tree"
}

# Copy the build into the board's directory, so that the board can start again without the farm.
stage_build() {
	local machine=$1 name new=$dir/boot.new

	for name in COHORT_KERNEL COHORT_INITRAMFS COHORT_DTB; do
		[ -z "${!name:-}" ] || [ -r "${!name}" ] || die "$name: cannot read ${!name}"
	done
	[ -n "${COHORT_KERNEL:-}" ] || die "COHORT_KERNEL is not set"
	[ -n "${COHORT_INITRAMFS:-}" ] || die "COHORT_INITRAMFS is not set"
	if vm_makes_dtb "$machine"; then
		[ -z "${COHORT_DTB:-}" ] || die "COHORT_DTB is set, but the emulator makes the device tree of $machine"
	else
		[ -n "${COHORT_DTB:-}" ] || die "COHORT_DTB is not set"
	fi
	rm -rf "$new"
	mkdir "$new"
	cp "$COHORT_KERNEL" "$new/kernel"
	add_archive "$new/initramfs" "$COHORT_INITRAMFS"
	add_archive "$new/initramfs" "$dir/overlay.cpio.gz"
	if vm_forgets; then
		stage_files "$new/files" >>"$new/initramfs"
	fi
	[ -z "${COHORT_DTB:-}" ] || stage_dtb "$new/dtb"
	printf 'console=ttyAMA0 panic=1 cohort.board=%s cohort.ip=10.0.2.15/24,10.0.2.2 %s\n' \
		"${dir##*/}" "${COHORT_CMDLINE:-}" >"$new/cmdline"
	rm -rf "${dir:?}/boot"
	mv "$new" "$dir/boot"
}

# Copy the device tree to $1 with a random seed in it, without which the SSH server waits half a minute
# for entropy.
stage_dtb() {
	need_commands fdtput
	cp "$COHORT_DTB" "$1"
	chmod u+w "$1"
	# shellcheck disable=SC2046 # one argument a byte
	fdtput -p -t bx "$1" /chosen rng-seed $(od -An -v -tx1 -N32 /dev/urandom) 2>/dev/null ||
		die "COHORT_DTB: $COHORT_DTB is no device tree"
}

start() {
	[ -d "$dir/boot" ] || die "nothing was booted on ${dir##*/} yet"
	vm_start
}

board_cycle() {
	if running_pid >/dev/null; then
		vm_reset && return
		board_off
	fi
	start
}

# What the programs call, with their arguments.
virtual_board_main() {
	local verb=${1:-} lock

	if [ $# -lt 2 ] || [ $# -ne "$([ "$verb" = init ] && echo 4 || echo 2)" ]; then
		usage
	fi
	if [ "$verb" = init ]; then
		mkdir -p "$2"
		chmod 700 "$2"
	fi
	dir=$(realpath -e "$2" 2>/dev/null) || die "no such board directory: $2"
	[ ${#dir} -le 90 ] || die "$dir: the path is too long for the sockets in it (90 characters)"
	[ "$verb" = init ] || [ -e "$dir/machine" ] || die "$dir is no board: ${0##*/} init makes one"
	need_commands flock
	exec {lock}>"$dir/lock"
	flock -w 60 "$lock" || die "$dir: another ${0##*/} has been busy there for a minute"

	case $verb in
	init)
		board_init "$3" "$4"
		;;
	boot)
		need_commands "${vm_commands[@]}"
		stage_build "$(cat "$dir/machine")"
		board_off
		start
		;;
	on)
		need_commands "${vm_commands[@]}"
		running_pid >/dev/null || start
		;;
	off)
		board_off
		;;
	cycle)
		need_commands "${vm_commands[@]}"
		board_cycle
		;;
	status)
		running_pid >/dev/null || {
			echo off
			exit 3
		}
		echo on
		;;
	*)
		usage
		;;
	esac
}
