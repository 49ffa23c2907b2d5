# shellcheck shell=bash disable=SC2034
# Shared by all scripts of the bed: where things are, and how a process is recorded and ended.
set -euo pipefail

bed=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bed_state=${BED_STATE:-/var/lib/psprun-bed}
bed_cache=${BED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/psprun/bed}
kubernetes_cache=${KUBERNETES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/psprun/kubernetes-1.20.2}
kubernetes_bin=$kubernetes_cache/bin
standin_bin=$bed_cache/bin
images=$bed_cache/images
apiservers=$bed_cache/apiservers               # one file a running API server: its port, holding its folder

switch_netns=psprun-switch                     # holds the bridge; has no uplink and no default route
switch_address=10.89.0.1
cgroup_root=/sys/fs/cgroup
cgroup_hierarchies=(cpu cpuacct cpuset memory devices freezer blkio pids systemd)

say() { echo "${0##*/}: $*"; }
die() { echo "${0##*/}: $*" >&2; exit 1; }

need_root() { [[ $EUID == 0 ]] || die "must run as root"; }

need_setup() { [[ -f $bed_cache/complete ]] || die "run $bed/setup first"; }

# The start time tells a process from a later one that got the same pid. A zombie counts as gone.
start_time() { # PID
  local stat
  { stat=$(< "/proc/$1/stat"); } 2> /dev/null || return 1
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  [[ $1 != Z ]] || return 1
  echo "${20}"
}

record_process() { # PID FILE
  echo "$1 $(start_time "$1" || true)" > "$2"
}

recorded_process() { # FILE: prints the pid if that very process still lives
  local pid started
  [[ -s $1 ]] || return 1
  read -r pid started < "$1"
  [[ -n $started && $(start_time "$pid") == "$started" ]] || return 1
  echo "$pid"
}

end_process() { # FILE [SECONDS]: TERM, so much patience, KILL; returns when it is gone; only ever the recorded process
  local pid
  pid=$(recorded_process "$1") || return 0
  kill -TERM "$pid" 2> /dev/null || true
  wait_until "${2:-15}" process_is_gone "$1" || kill_process "$1"
}

kill_process() { # FILE: KILL, as a crash would
  local pid
  pid=$(recorded_process "$1") || return 0
  kill -KILL "$pid" 2> /dev/null || true
  wait_until 10 process_is_gone "$1" || die "process $pid does not end"
}

process_is_gone() { ! recorded_process "$1" > /dev/null; }

wait_until() { # SECONDS COMMAND...: true as soon as the command is
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    (( SECONDS < deadline )) || return 1
    sleep 0.1
  done
}

node_names() {
  local folder
  for folder in "$bed_state"/nodes/*/; do
    [[ -d $folder ]] && basename "$folder"
  done
  return 0
}
