#!/usr/bin/env bash
# Runs as the first process of a new node, in fresh mount, pid, uts, ipc and cgroup namespaces and in the node's network
# namespace: builds the file system and becomes init.py. Called by node up.
# usage: enter-node.sh NAME FOLDER PATH
set -euo pipefail
name=$1 folder=$2 path=$3 root=$2/rootfs

mount_root() {
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t overlay overlay -o "lowerdir=/usr,upperdir=$folder/usr-upper,workdir=$folder/usr-work" "$root/usr"
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mkdir -p "$root/run/lock" "$root/run/netns"
}

# cgroup v1, seen through the cgroup namespace: the node's own groups look like the root to kubelet.
mount_cgroups() {
  local hierarchy options
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  for hierarchy in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
    options=$hierarchy
    [[ $hierarchy != systemd ]] || options=none,name=systemd
    mkdir "$root/sys/fs/cgroup/$hierarchy"
    mount -t cgroup -o "$options" cgroup "$root/sys/fs/cgroup/$hierarchy"
  done
}

# A private /dev: no disks of the host.
make_devices() {
  local device
  mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
  for device in null zero full random urandom tty kmsg; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  mkdir "$root"/dev/{pts,shm,mqueue}
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t mqueue mqueue "$root/dev/mqueue" || true
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s fd/0 "$root/dev/stdin"
  ln -s fd/1 "$root/dev/stdout"
  ln -s fd/2 "$root/dev/stderr"
}

# kubelet sets six host-wide sysctls. It finds private files in their place, which hold the values that it wants.
shield_host_sysctls() {
  local setting file
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
                 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=$root/run/bed-sysctl/${setting%=*}
    mkdir -p "$(dirname "$file")"
    echo "${setting#*=}" > "$file"
    mount --bind "$file" "$root/proc/sys/${setting%=*}"
  done
}

enter_root() {
  mkdir -p "$root/.old"
  cd "$root"
  pivot_root . .old
  cd /
  umount -l /.old
  rmdir /.old
  mount --make-rshared /        # kubelet and containerd propagate mounts
}

hostname "$name"
mount_root
mount_cgroups
make_devices
shield_host_sysctls
# These belong to the network namespace, not to the host.
sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
ulimit -n 1048576 || true
enter_root
exec env -i PATH="$path" HOME=/root LANG=C.UTF-8 container=psprun-bed python3 /opt/bed/init.py
