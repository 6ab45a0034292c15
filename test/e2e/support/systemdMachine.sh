#!/bin/sh
# Boots systemd as PID 1. Runs in fresh mount, PID, network, IPC, UTS and cgroup namespaces, and changes nothing outside
# of them: what is written to the root file system goes to a tmpfs, and /run, /tmp and /dev are the machine's own.
#
# systemdMachine.sh SCRATCH LOWER [CHECKOUT NODE_MODULES NODE]
#
# LOWER is the root file system it begins with. With CHECKOUT and what follows the program is installed, and there are no other
# units than its own; without, units are found where packages put them.
set -eu
scratch=$1 lower=$2 checkout=${3:-}
root=$scratch/root

mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$root"
mount -t overlay -o "lowerdir=$lower,upperdir=$scratch/upper,workdir=$scratch/work" machine "$root"

mount -t proc proc "$root/proc"
# The kernel's settings are those of the machine outside, but for the network's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

install_program() {
  modules=$1 node=$2
  # The package, as npm install --global lays it out. Copied, because what is built meanwhile must not change it.
  package=$root/usr/local/lib/node_modules/port-exporter
  mkdir -p "$package/node_modules" "$root/usr/local/bin"
  cp -r "$checkout/package.json" "$checkout/dist" "$package"
  mount --bind "$modules" "$package/node_modules"
  ln -sf ../lib/node_modules/port-exporter/dist/main.js "$root/usr/local/bin/port-exporter"
  rm -f "$root/usr/local/bin/node"
  touch "$root/usr/local/bin/node"
  mount --bind "$node" "$root/usr/local/bin/node"
  cp "$checkout"/deploy/systemd/port-exporter.service "$checkout"/deploy/systemd/port-exporter.socket "$units"
}

# No unit of the distribution but the journal.
units=$root/run/systemd/system
mkdir -p "$units"
cp "$root"/lib/systemd/system/systemd-journald.service "$root"/lib/systemd/system/systemd-journald*.socket "$units"
for target in sysinit basic sockets network shutdown multi-user; do
  printf '[Unit]\nDefaultDependencies=no\n' >"$units/$target.target"
done
printf '[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service\n' >"$units/machine.target"
unit_path=/run/systemd/system
if [ -n "$checkout" ]; then
  install_program "$4" "$5"
else
  unit_path=$unit_path:/etc/systemd/system:/usr/lib/systemd/system
fi

mkdir "$root/run/outside"
cd "$root"
pivot_root . run/outside
umount -l run/outside
rmdir run/outside
mount --make-rshared /
# Without the privileges that reach beyond the namespaces.
exec chroot . env -i container=test SYSTEMD_UNIT_PATH="$unit_path" \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set -sys_module,-sys_time,-sys_boot,-sys_rawio,-mknod,-syslog,-audit_control \
  /lib/systemd/systemd --system --unit=machine.target --show-status=no --log-target=journal
