# shellcheck shell=bash
# foreign.sh - Debian packages of another architecture, unpacked and not installed. Needs lib.sh.
#
# They come through an apt state of our own, which takes its sources, keys and proxies from the
# machine's: no foreign architecture is added to dpkg, nothing needs root, and a machine whose armhf
# index is out of step with its amd64 one still updates.

apt_root=${cache_root:?}/apt

apt_private() {
	APT_CONFIG=$apt_root/apt.conf "$@"
}

# Make the private state and bring its index up to date, unless that was done within the last day.
apt_refresh() {
	local conf

	if [ -e "$apt_root/fresh" ] && [ -n "$(find "$apt_root/fresh" -mmin -1440)" ]; then
		return 0
	fi
	rm -rf "$apt_root/conf.d"
	mkdir -p "$apt_root/conf.d" "$apt_root/state/lists/partial" "$apt_root/cache/archives/partial"
	: >"$apt_root/state/status"
	for conf in /etc/apt/apt.conf.d/*; do
		[ ! -r "$conf" ] || cp "$conf" "$apt_root/conf.d/"
	done
	# Read last. The hooks that it clears tidy the machine's own apt, which is not ours to touch.
	cat >"$apt_root/conf.d/zz-cohort" <<-EOF
		APT::Architecture "armel";
		#clear APT::Architectures;
		APT::Architectures { "armel"; "armhf"; };
		Dir::State "$apt_root/state";
		Dir::State::status "$apt_root/state/status";
		Dir::Cache "$apt_root/cache";
		APT::Sandbox::User "";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Post-Invoke;
	EOF
	printf 'Dir::Etc::Parts "%s";\n' "$apt_root/conf.d" >"$apt_root/apt.conf"
	# A source that cannot be read just now is no reason to stop: a package that is then missing is
	# named by the download, and the next call tries again.
	if apt_private apt-get -q update; then
		touch "$apt_root/fresh"
	fi
}

# foreign_unpack DIR PACKAGE:ARCH...: unpack the packages into DIR, and write their versions and
# SHA-256 into DIR.packages.
foreign_unpack() {
	local dir=$1 lock deb debs=$apt_root/debs
	shift
	mkdir -p "$apt_root" "$dir"
	exec {lock}>"$apt_root/.lock"
	flock "$lock"
	apt_refresh
	rm -rf "$debs"
	mkdir "$debs"
	(cd "$debs" && apt_private apt-get -q download "$@")
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
		printf '%s %s\n' "$(basename "$deb" .deb)" "$(sha256sum <"$deb" | cut -d' ' -f1)"
	done >"$dir.packages"
	rm -rf "$debs"
	exec {lock}>&-
}

# What PACKAGE:ARCH depends on, one name a line.
foreign_depends() {
	local lock

	mkdir -p "$apt_root"
	exec {lock}>"$apt_root/.lock"
	flock "$lock"
	apt_refresh
	exec {lock}>&-
	apt_private apt-cache depends --important "$1" | sed -n 's/^ *Depends: \([^:<]*\).*/\1/p'
}
