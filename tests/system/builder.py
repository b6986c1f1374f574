"""What tests of builders share: a kernel tree that is made in a second, patches for it as mails, recipes and requests."""

import hashlib
import json
import os
import subprocess

import farm

KBUILD = os.path.join(farm.TOP, "jobs/builder/kbuild")
SUITE = os.path.join(farm.TOP, "jobs/suites/kernel-build.json")

# Targets, files and messages that a build goes by. PAD is how long the "kernel" becomes, HOLD a file that make waits for.
MAKEFILE = r"""
srctree := $(CURDIR)
ifeq ($(INSIDE),)
.PHONY: allnoconfig zImage
allnoconfig zImage:
	@$(MAKE) --no-print-directory -C $(O) -f $(srctree)/Makefile INSIDE=1 S=$(srctree) O= $@
else
-include $(S)/more.mk
objs := init.o mm.o fs.o drivers.o
allnoconfig:
	@{ echo 'CONFIG_CC_VERSION_TEXT="'"`gcc --version | head -n 1`"'"'; \
		grep -v -e '=n$$' -e UNKNOWN $(KCONFIG_ALLCONFIG); } >.config
zImage: arch/arm/boot/zImage
.PHONY: FORCE
include/generated/utsrelease.h: FORCE
	@mkdir -p include/generated include/config
	@echo '6.1.0-fake$(LOCALVERSION)' >include/config/kernel.release
	@echo '#define UTS_RELEASE "6.1.0-fake$(LOCALVERSION)"' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
init.o: include/generated/utsrelease.h
%.o: $(S)/%.c $(S)/common.h
	@echo '  CC      $@'
	@$(CC) -Iinclude -I$(S) -Wp,-MMD,.$@.d -c -o $@ $<
vmlinux: $(objs)
	@while [ -e $(S)/hold ] && [ ! -e "`cat $(S)/hold`" ]; do sleep 0.02; done
	@echo '  LD      $@'
	@ld --build-id=sha1 -e 0 -o $@ $(objs)
	@nm $@ >System.map
piggy.o: $(S)/piggy.S vmlinux
	@$(CC) -Wp,-MMD,.$@.d -c -o $@ $<
arch/arm/boot/zImage: piggy.o
	@mkdir -p arch/arm/boot
	@{ cat piggy.o; head -c $(or $(PAD),100000) /dev/zero; } >$@
	@echo '  Kernel: $@ is ready'
endif
"""
SOURCE = "".join(f"int NAME_{word}(void)\n{{\n\treturn {value};\n}}\n\n" for word, value in (("one", 1), ("two", 2), ("three", 3)))
FRAGMENTS = {"common": "# all of them\nCONFIG_MMU=y\nCONFIG_CPU_CACHE_VIPT=y\nCONFIG_SWAP=n\n",
             "v5": "CONFIG_CPU_CACHE_VIVT=y\nCONFIG_CPU_CACHE_VIPT=n\n"}


def git(directory, *argv, **more):
    identity = ["-c", "user.name=An Author", "-c", "user.email=author@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", "-C", directory, *identity, *argv], check=True, capture_output=True, text=True, **more).stdout


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Tree:
    """The repository, tag base; and where patches and recipes for it are put."""

    def __init__(self, directory):
        self.directory = directory
        self.repository = os.path.join(directory, "linux")
        os.makedirs(self.repository)
        git(self.repository, "init", "-q")
        put(f"{self.repository}/Makefile", MAKEFILE)
        put(f"{self.repository}/common.h", "#define COMMON 1\n")
        put(f"{self.repository}/piggy.S", '.incbin "vmlinux"\n')
        put(f"{self.repository}/init.c", '#include <generated/utsrelease.h>\nconst char release[] = UTS_RELEASE;\n')
        for name in ("mm", "fs", "drivers"):
            put(f"{self.repository}/{name}.c", '#include "common.h"\n' + SOURCE.replace("NAME", name))
        git(self.repository, "add", "-A")
        git(self.repository, "commit", "-q", "-m", "base")
        git(self.repository, "tag", "base")
        self.fragments = [put(f"{directory}/in/{name}.frag", text) for name, text in FRAGMENTS.items()]
        self.count = 0

    def series(self, *patches):
        """Files with a mail each. A patch is (subject, {file: [(old, new), ...] or the new file's text})."""
        git(self.repository, "checkout", "-q", "-f", "--detach", "base")
        for subject, changes in patches:
            for name, change in changes.items():
                path = os.path.join(self.repository, name)
                if isinstance(change, list):
                    with open(path, encoding="utf-8") as file:
                        text = file.read()
                    for old, new in change:
                        assert old in text, (name, old)
                        text = text.replace(old, new)
                    change = text
                put(path, change)
            git(self.repository, "add", "-A")
            git(self.repository, "commit", "-q", "-m", subject + "\n\nWhy.\n", "--date", "2026-01-02 03:04:05 +0100")
        self.count += 1
        directory = os.path.join(self.directory, "in", f"series-{self.count}")
        mails = git(self.repository, "format-patch", "-o", directory, "base").split()
        git(self.repository, "checkout", "-q", "-f", "--detach", "base")
        return mails

    def recipe(self, *mails, previous=(), **fields):
        """A recipe's path."""
        document = {"v": 1, "tree": "linux", "commit": "base", "patches": [sha256(mail) for mail in mails], "flavour": "v5",
                    "fragments": [sha256(path) for path in self.fragments], "arch": "arm", "cross": "", "targets": ["zImage"],
                    "collect": {"kernel": "arch/arm/boot/zImage"}, "files": {"initramfs": "0" * 64}}
        if previous:
            document["previous"] = [sha256(mail) for mail in previous]
        document.update(fields)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        return put(f"{self.directory}/in/{hashlib.sha256(text.encode()).hexdigest()}.json", text)

    def inputs(self, recipe, *mails):
        named = [("recipe.json", recipe)] + [(f"{n:04}.patch", mail) for n, mail in enumerate(mails, 1)]
        named += [(os.path.basename(path), path) for path in self.fragments]
        return [{"name": name, "path": path, "sha256": sha256(path), "size": os.path.getsize(path)} for name, path in named]


def steps(tree="linux"):
    """The suite's tests as cohortd plans them."""
    with open(SUITE, encoding="utf-8") as file:
        tests = json.load(file)["tests"]
    return [{"id": i, "name": test["name"], "rep": 1, "time_limit_s": test["time_limit_s"],
             "argv": [word + tree if word == "tree:" else word for word in test["argv"]]} for i, test in enumerate(tests)]
