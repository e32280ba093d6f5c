#!/usr/bin/env bash
# A real Docker engine for tests on a Debian machine: as root, without systemd, without a bridge and without a firewall
# rule, and on a socket of its own, so that an engine which is there already is never spoken to. With it a base image
# that stands in for python:slim, made of Debian's packages, and a registry on 127.0.0.1.
#
#   engine.sh start FOLDER   starts them, everything they write in FOLDER (2 GB), the socket FOLDER/docker.sock among it
#   engine.sh stop FOLDER    ends them and removes FOLDER
#
# The base is labelled `local.standin=true`, which every image built on it inherits and the harness tells: no result from
# it is ever one to publish. Nothing of it may be pushed anywhere.
set -euo pipefail

command=${1:?start or stop} folder=${2:?a folder}
docker=/usr/bin/docker # Debian's, which has BuildKit built in
port=${BENCH_TEST_REGISTRY_PORT:-5443}
export DOCKER_HOST=unix://$folder/docker.sock
unset DOCKER_CONTEXT

wait_for() { # SECONDS COMMAND...
    local tries=$(($1 * 4))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.25
    done
}

start_engine() {
    setsid nohup dockerd --host "$DOCKER_HOST" --iptables=false --bridge=none --storage-driver=overlay2 --data-root "$folder/data" \
        --exec-root "$folder/exec" --pidfile "$folder/dockerd.pid" >"$folder/dockerd.log" 2>&1 </dev/null &
    wait_for 30 "$docker" version || {
        # Where the kernel or a sandbox forbids it, and not where this script is wrong.
        grep -qiE 'operation not permitted|permission denied|read-only file system' "$folder/dockerd.log" &&
            echo 'bench-engine-cannot'
        tail -n 20 "$folder/dockerd.log" >&2
        return 1
    }
}

start_registry() {
    cat >"$folder/registry.yml" <<EOF
version: 0.1
storage: {filesystem: {rootdirectory: $folder/registry}}
http: {addr: 127.0.0.1:$port}
EOF
    setsid nohup docker-registry serve "$folder/registry.yml" >"$folder/registry.log" 2>&1 </dev/null &
    echo $! >"$folder/registry.pid"
    wait_for 10 bash -c "</dev/tcp/127.0.0.1/$port"
}

# The machine's own package mirror and its own certificates, as a build on it needs them.
make_base() {
    local mirror root=$folder/rootfs
    mirror=$({ cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true; } |
        sed -n 's/^URIs: *//p; s/^deb \(\[.*\] \)\{0,1\}\(http[^ ]*\) .*/\2/p' | sed -n 1p)
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip bookworm "$root" \
        "$mirror" >"$folder/debootstrap.log" 2>&1 || { tail -n 20 "$folder/debootstrap.log" >&2; return 1; }
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
    chroot "$root" update-ca-certificates >/dev/null 2>&1
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
    chroot "$root" apt-get clean
    tar -C "$root" -c . | "$docker" import --change 'ENV LANG=C.UTF-8' --change 'CMD ["/bin/bash"]' \
        --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' --change 'LABEL local.standin=true' \
        - standin-base:py311 >/dev/null
    rm -rf "$root"
}

end_process() { # PIDFILE
    local pid
    [ -s "$1" ] && pid=$(cat "$1") && kill -TERM "$pid" 2>/dev/null || return 0
    for _ in $(seq 80); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.25; done
    kill -KILL "$pid" 2>/dev/null || true
}

case $command in
start)
    mkdir -p "$folder"
    start_engine
    start_registry
    make_base
    ;;
stop)
    # Only what this engine has: no other one listens on this socket.
    "$docker" ps --all --quiet 2>/dev/null | xargs --no-run-if-empty "$docker" rm --force >/dev/null 2>&1 || true
    end_process "$folder/registry.pid"
    end_process "$folder/dockerd.pid"
    umount "$folder"/exec/netns/* 2>/dev/null || true
    rm -rf "$folder"
    ;;
*)
    echo "engine.sh: start or stop, not $command" >&2
    exit 2
    ;;
esac
