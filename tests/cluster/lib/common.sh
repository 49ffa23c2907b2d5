# shellcheck shell=bash disable=SC2034
# Shared by the scripts of the bed, tests/run and .ci/run: where things are, how a process is recorded and ended, packages.
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

# Says on stderr what is being done and how long it took. As everywhere, a failure ends the script unless the caller takes it up;
# inside COMMAND too, so take up the failures of single programs only.
phase() { # TEXT COMMAND...
  local text=$1 start=$SECONDS status bold='' plain=''
  if [[ -t 2 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi
  echo "${bold}== $text$plain" >&2
  "${@:2}"
  status=$?
  if [[ $status == 0 ]]; then text+=": done"; else text+=": FAILED"; fi
  echo "${bold}== $text after $((SECONDS - start)) s$plain" >&2
  return "$status"
}

need_root() { [[ $EUID == 0 ]] || die "must run as root"; }

need_setup() { [[ -f $bed_cache/complete ]] || die "run $bed/setup first"; }

need_packages() { # PACKAGE...: installs what is missing; fails if it cannot
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null) == installed ]] || missing+=("$package")
  done
  [[ ${#missing[@]} != 0 ]] || return 0
  [[ $EUID == 0 ]] || die "Debian packages are missing and only root can install them: ${missing[*]}"
  say "installing ${missing[*]}" >&2
  apt-get update -qq -o DPkg::Lock::Timeout=300 >&2 || return
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" > /dev/null
}

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
