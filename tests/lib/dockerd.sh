# shellcheck shell=bash
#
# What this room is for.      A real Docker engine of a test's own, beside any other on the machine.
# What it may touch.          DIR, one bridge of its own (removed again), and processes recorded in DIR.
# Who calls it.               bats files and scripts that source it. Needs root, docker.io and redis-server.
# The one invariant.          Only processes started here are ended, by pid and start time.
#
#   dockerd_start DIR        sets DOCKER_HOST and DOCKER_CONFIG; 0, 77 after "SKIP: reason", else 1
#   docker_import_redis      makes redis:7-alpine (or $1) out of the local redis-server; 0, 77 or 1
#   dockerd_stop DIR         removes its containers, ends it, removes what it made
#
# DIR is best short: the engine's socket in it must fit in 107 bytes.

dockerd_skip() {
    echo "SKIP: $*"
    return 77
}

# What kernels and sandboxes say when they forbid containers.
dockerd_forbidden() {
    grep -Eiq 'operation not permitted|permission denied|not (mounted|supported|implemented)|no such device|read-only file system|unknown device type|function not implemented' "$@"
}

# Start time of a process in ticks since boot; with the pid it names one process for good.
dockerd_born() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    echo "${20}"
}

# Is the process recorded in file $1 ("pid born") still the same and no zombie? Prints its pid.
dockerd_recorded() {
    local pid born stat
    read -r pid born 2>/dev/null <"$1" || return 1
    [ "$(dockerd_born "$pid")" = "$born" ] || return 1
    { stat=$(<"/proc/$pid/stat"); } 2>/dev/null || return 1
    case ${stat##*) } in Z* | X*) return 1 ;; esac
    echo "$pid"
}

# Ends the process recorded in file $1: TERM, after $2 tenths of a second KILL.
dockerd_end() {
    local pid tenths=0
    while pid=$(dockerd_recorded "$1"); do
        if [ "$tenths" -eq 0 ]; then
            kill -TERM "$pid" 2>/dev/null
        elif [ "$tenths" -eq "$2" ]; then
            kill -KILL "$pid" 2>/dev/null
        elif [ "$tenths" -gt $(($2 + 50)) ]; then
            echo "dockerd.sh: process $pid does not end" >&2
            return 1
        fi
        sleep 0.1
        tenths=$((tenths + 1))
    done
    rm -f "$1"
}

# A bridge with a free private network; the address decides the name. Prints "name address/24".
dockerd_bridge() {
    local n try name
    for try in 0 1 2 3 4 5 6 7; do
        n=$((($$ + try * 31) % 200 + 20))
        name=rdtest$n
        [ -e "/sys/class/net/$name" ] && continue
        ip -4 route show | grep -q "^10\.213\.$n\." && continue
        ip link add name "$name" type bridge 2>&1 || return 1
        if ip addr add "10.213.$n.1/24" dev "$name" && ip link set "$name" up; then
            echo "$name 10.213.$n.1/24"
            return 0
        fi
        ip link delete "$name"
    done
    return 1
}

dockerd_start() {
    local dir=$1 need answer tenths=0
    local network=()

    [ "$(uname -s)" = Linux ] || { dockerd_skip "dockerd runs on Linux only"; return; }
    [ "$(id -u)" -eq 0 ] || { dockerd_skip "dockerd needs root"; return; }
    PATH=$PATH:/usr/sbin:/sbin
    for need in dockerd docker containerd runc docker-proxy setsid; do
        command -v "$need" >/dev/null || { dockerd_skip "no $need (Debian: apt-get install docker.io)"; return; }
    done
    if [ -e "$dir/dockerd.pid" ] && dockerd_recorded "$dir/dockerd.pid" >/dev/null; then
        echo "dockerd.sh: one already runs in $dir" >&2
        return 1
    fi
    mkdir -p "$dir/config" || return 1
    chmod 700 "$dir"
    dir=$(cd "$dir" && pwd -P) || return 1
    if [ $((${#dir} + 40)) -gt 107 ]; then
        echo "dockerd.sh: $dir is too long for a socket" >&2
        return 1
    fi

    # docker0 belongs to the machine's own engine, so a bridge of ours. The userland proxy publishes, so
    # the packet filter stays untouched; dockerd turns ip_forward on, as any engine does (without it
    # every `docker run` prints a warning of its own).
    if command -v ip >/dev/null; then
        answer=$(dockerd_bridge) || { dockerd_skip "no bridge may be made here: ${answer##*$'\n'}"; return; }
        echo "${answer% *}" >"$dir/bridge"
        network=(--bridge "${answer% *}")
    elif [ -e /sys/class/net/docker0 ]; then
        dockerd_skip "docker0 is in use and there is no ip (Debian: apt-get install iproute2)"
        return
    fi

    # fd 3 is bats' own: whoever holds it keeps bats waiting.
    rm -f "$dir/engine.pid" "$dir/docker.sock"
    setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/engine.pid" \
        --host "unix://$dir/docker.sock" --iptables=false --ip6tables=false \
        ${network[@]+"${network[@]}"} </dev/null >"$dir/dockerd.log" 2>&1 3>&- &
    need=$!
    export DOCKER_HOST="unix://$dir/docker.sock" DOCKER_CONFIG="$dir/config"
    unset DOCKER_CONTEXT

    # With job control setsid forks, so the pid comes from dockerd's own file.
    until [ -s "$dir/engine.pid" ] && timeout 5 docker version >/dev/null 2>&1; do
        tenths=$((tenths + 1))
        if [ "$tenths" -gt 10 ] && ! kill -0 "$need" 2>/dev/null && ! dockerd_alive "$dir"; then
            break
        fi
        [ "$tenths" -le 300 ] || break
        sleep 0.1
    done
    dockerd_note "$dir/engine.pid" "$dir/dockerd.pid"
    dockerd_note "$dir/exec/containerd/containerd.pid" "$dir/containerd.pid"
    if timeout 5 docker version >/dev/null 2>&1; then
        return 0
    fi
    answer=$(grep -E 'level=(fatal|error)|failed to start daemon' "$dir/dockerd.log" | tail -n 1)
    if [ "$tenths" -le 300 ] && dockerd_forbidden "$dir/dockerd.log"; then
        dockerd_stop "$dir"
        dockerd_skip "dockerd cannot run here: ${answer:-it ended without a word}"
        return
    fi
    echo "dockerd.sh: dockerd did not come up: ${answer:-see $dir/dockerd.log}" >&2
    tail -n 20 "$dir/dockerd.log" >&2
    dockerd_stop "$dir"
    return 1
}

dockerd_alive() {
    [ -s "$1/engine.pid" ] && kill -0 "$(<"$1/engine.pid")" 2>/dev/null
}

# Turns a program's own pid file $1 into a record $2 with the start time.
dockerd_note() {
    local pid born
    [ -s "$1" ] && pid=$(<"$1") && born=$(dockerd_born "$pid") && echo "$pid $born" >"$2"
}

dockerd_stop() {
    local dir bridge ids file
    dir=$(cd "$1" 2>/dev/null && pwd -P) || return 0
    if dockerd_recorded "$dir/dockerd.pid" >/dev/null; then
        ids=$(DOCKER_HOST="unix://$dir/docker.sock" timeout 10 docker ps -aq 2>/dev/null)
        # shellcheck disable=SC2086
        [ -z "$ids" ] || DOCKER_HOST="unix://$dir/docker.sock" timeout 30 docker rm -f $ids >/dev/null 2>&1
    fi
    dockerd_end "$dir/dockerd.pid" 200 || return 1
    # Normally nothing of these is left; after a dockerd that had to be killed there is.
    dockerd_end "$dir/containerd.pid" 50 || return 1
    for file in "$dir"/exec/containerd/daemon/io.containerd.runtime.v2.task/moby/*/init.pid; do
        [ -s "$file" ] && dockerd_end_container "${file%/init.pid}"
    done
    awk -v d="$dir/" 'index($2, d) == 1 { print $2 }' /proc/mounts | sort -r | while read -r file; do
        umount -l "$file"
    done
    if bridge=$(cat "$dir/bridge" 2>/dev/null) && [ -e "/sys/class/net/$bridge" ]; then
        ip link delete "$bridge"
    fi
    rm -rf "$dir/data" "$dir/exec" "$dir/config" "$dir/bridge" "$dir/engine.pid" "$dir/docker.sock"
}

# Ends what a killed dockerd left of the container whose bundle is $1: its first process, which its
# cgroup proves to be it, then the shim, that process's parent.
dockerd_end_container() {
    local pid shim socket
    pid=$(<"$1/init.pid")
    grep -qs "${1##*/}" "/proc/$pid/cgroup" || return 0
    shim=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")
    kill -KILL "$pid" 2>/dev/null
    case $(readlink "/proc/$shim/exe") in
        */containerd-shim*) kill -KILL "$shim" 2>/dev/null ;;
    esac
    socket=$(cat "$1/address" 2>/dev/null) && rm -f "${socket#unix://}"
}

# The image: the machine's redis-server and redis-cli, dash as sh, and sleep, cat and env for tests,
# with the libraries they need. As the official one: redis-server without protected mode, /data, and
# an entry point that takes bare options.
docker_import_redis() {
    local tag=${1:-redis:7-alpine} work program answer
    for program in redis-server redis-cli; do
        command -v "$program" >/dev/null || { dockerd_skip "no $program (Debian: apt-get install redis-server)"; return; }
    done
    work=$(mktemp -d) || return 1
    mkdir -p "$work/image/bin" "$work/image/usr/local/bin" "$work/image/data" "$work/image/tmp" "$work/image/etc"
    chmod 1777 "$work/image/tmp"
    printf 'root:x:0:0:root:/:/bin/sh\nredis:x:999:999:redis:/data:/bin/sh\n' >"$work/image/etc/passwd"
    cp -L "$(command -v redis-server)" "$work/image/usr/local/bin/redis-server.real"
    cp -L "$(command -v redis-cli)" "$work/image/usr/local/bin/redis-cli"
    cp -L "$(command -v dash || command -v sh)" "$work/image/bin/sh"
    for program in sleep cat env; do
        cp -L "$(type -P "$program")" "$work/image/bin/$program"
    done
    # Debian's build answers -DENIED through the bridge unless it is told otherwise.
    cat >"$work/image/usr/local/bin/redis-server" <<'EOF'
#!/bin/sh
case ${1-} in
    -v | --version | -h | --help | --test-memory | --check-system) exec redis-server.real "$@" ;;
esac
exec redis-server.real "$@" --protected-mode no
EOF
    cat >"$work/image/usr/local/bin/docker-entrypoint.sh" <<'EOF'
#!/bin/sh
case ${1-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac
exec "$@"
EOF
    chmod 755 "$work/image/usr/local/bin/redis-server" "$work/image/usr/local/bin/docker-entrypoint.sh"
    find "$work/image/bin" "$work/image/usr/local/bin" -type f -exec ldd {} \; 2>/dev/null |
        grep -o '/[^ ]*\.so[^ ]*' | sort -u | while read -r program; do
        cp -L --parents "$program" "$work/image"
    done
    # The run after it, because an engine that answers is no promise that containers run.
    if tar -C "$work/image" -c . | docker import \
        -c 'ENV PATH=/usr/local/bin:/bin' -c 'WORKDIR /data' -c 'EXPOSE 6379' \
        -c 'ENTRYPOINT ["docker-entrypoint.sh"]' -c 'CMD ["redis-server"]' - "$tag" >/dev/null 2>"$work/said" &&
        timeout 60 docker run --rm --init "$tag" redis-server --version >"$work/said" 2>&1; then
        rm -rf "$work"
        return 0
    fi
    answer=$(tail -n 1 "$work/said")
    if dockerd_forbidden "$work/said"; then
        rm -rf "$work"
        dockerd_skip "no container may run here: $answer"
        return
    fi
    cat "$work/said" >&2
    rm -rf "$work"
    return 1
}
