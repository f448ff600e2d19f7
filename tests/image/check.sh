#!/usr/bin/env bash
# Builds the image on a fresh Debian (SUITE=…), starts it as compose would, asks it for answers and stops it: on its own
# bundle, on one that was trained just now, and on one that it must refuse.
#
# It has the image's files, user and environment, a read-only root, no capabilities, no new privileges and no network
# but its own loopback. Chroot isolation leaves it the host's processes, /dev/shm and limits: compose's port mapping,
# mem_limit and pids_limit stay unproved, and so does being process 1.
# shellcheck disable=SC2016  # what is in single quotes is for other shells
set -euo pipefail
cd "$(dirname "$0")/../.."

SUITE=${SUITE:-bookworm}
BASE=localhost/bodyregion-base:$SUITE
IMAGE=localhost/bodyregion-check:$$

say() { echo "image-check: $*"; }
fail() { say "$1" >&2; exit "${2:-1}"; }
buildah() { command buildah --storage-driver vfs "$@"; }
# The first Python below a process, itself the parent of the workers: `buildah run` passes no signal on to what it runs.
service_below() {
    local child
    if [[ $(readlink "/proc/$1/exe") != *python* ]] && child=$(pgrep --oldest --parent "$1"); then
        service_below "$child"
    else
        echo "$1"
    fi
}

[ "$(id -u)" = 0 ] || fail "only root can make a root file system; run it as root." 2
for tool in buildah debootstrap curl ip nsenter pgrep setpriv; do
    type -P "$tool" >/dev/null || fail "$tool is missing; apt install buildah debootstrap curl iproute2 procps" 2
done

make --silent .venv/dev # trains
scratch=$(mktemp -d)
made=() service= alone=
clean_up() {
    [ -z "$service" ] || kill -KILL "$(service_below "$service")" 2>/dev/null || true
    [ -z "$alone" ] || kill "$alone" || true
    wait
    for container in "${made[@]}"; do buildah rm "$container" >/dev/null || true; done
    buildah rmi "$IMAGE" >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

if ! buildah inspect --type image "$BASE" >/dev/null 2>&1; then
    say "making the base image $BASE (once)"
    container=$(buildah from scratch) && made+=("$container")
    root=$(buildah mount "$container")
    # In its own mount namespace, so that an interrupted run leaves no mount behind.
    unshare --mount debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$SUITE" "$root" \
        >"$scratch/log" 2>&1 || { tail "$scratch/log" >&2; fail "debootstrap made no base."; }
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* # as an official base has it
    buildah commit --quiet "$container" "$BASE" >/dev/null
fi

# The host's certificates and its way to a package index are mounted while building, so nothing of them stays. What pip
# would read from its disk is not there, and left out.
python3 -m pip config list 2>/dev/null |
    sed -nE "s/\\\\n/ /g; s/^(global|:env:)\.((extra-)?index-url|find-links|trusted-host|cert)='(.*)'$/\2 = \4/; T
        /^cert/! s# (file:|/)[^ ]*##g; p" |
    awk 'BEGIN { print "[global]" } !seen[$1]++' >"$scratch/pip.conf" || true
mounts=(--volume "$scratch/pip.conf:/etc/pip.conf:ro")
[ ! -d /etc/ssl/certs ] || mounts+=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)
shown=$scratch/shown && mkdir "$shown"
TMPDIR=$scratch .venv/bin/python -m tests.image.prepare "$shown"
say "building (a few minutes)"
# Docker's format, because OCI's has no HEALTHCHECK.
buildah bud --quiet --format docker --isolation chroot --pull-never "${mounts[@]}" --build-arg "BASE=$BASE" \
    --tag "$IMAGE" . >"$scratch/log" 2>&1 || { tail -n 50 "$scratch/log" >&2; fail "the image does not build."; }

container=$(buildah from --pull-never "$IMAGE") && made+=("$container")
root=$(buildah mount "$container")
of_image() { buildah inspect --format "{{range .Docker.Config.$1}}{{println .}}{{end}}" "$container" | sed '/^$/d'; }
mapfile -t command < <(of_image Cmd)
mapfile -t probe < <(of_image Healthcheck.Test)
[ "${probe[0]:-}" = CMD ] || fail "the image has no HEALTHCHECK of its own."

# This first run also leaves the files that buildah mounts over, which a read-only root could not take.
buildah run --isolation chroot "$container" -- python -c '
import sys, yaml
service = yaml.safe_load(sys.stdin)["services"]["bodyregion"]
assert service["build"] in (".", {"context": "."}), "compose builds something else"
assert service["read_only"] is True, "compose has a writable root"
assert service["cap_drop"] == ["ALL"] and "cap_add" not in service, "compose leaves capabilities"
assert service["security_opt"] == ["no-new-privileges:true"], "compose allows new privileges"
assert not service.keys() & {"privileged", "volumes", "user", "network_mode", "devices"}, "compose opens more"
assert [port.rpartition(":")[2] for port in service["ports"]] == ["8000"], "compose publishes another port"
' <docker-compose.yml || fail "docker-compose.yml is wrong."

# A network of its own with nothing in it but loopback: serving asks nobody for anything.
unshare --net sleep infinity &
alone=$!
until [ "$(readlink "/proc/$alone/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
offline() { nsenter --target "$alone" --net "$@"; }
offline ip link set lo up

# On a read-only root, with pictures and bundles in /mnt; only buildah's own mark in /run, where the image's user cannot
# write, needs a place.
inside() {
    offline setpriv --no-new-privs unshare --mount \
        sh -c 'mount --bind -o ro "$0" "$0" && mount --bind -o ro "$1" "$0/mnt" && mount -t tmpfs -o mode=755 tmpfs "$0/run" &&
            shift && exec "$@"' \
        "$root" "$shown" buildah --storage-driver vfs run --isolation chroot --cap-drop all "$container" -- "$@"
}
inside sh -c 'test "$(id -u)" = 10001 && for folder in . /tmp /var/tmp /run; do ! touch "$folder/probe" || exit; done' \
    2>/dev/null || fail "the image does not run as user 10001 on a read-only root."
# The 80 is buildah's own: it keeps CAP_SETUID within bounds to become the image's user, who then cannot use it.
inside grep -qzP 'CapPrm:\t0+\nCapEff:\t0+\nCapBnd:\t0+80\nCapAmb:\t0+\nNoNewPrivs:\t1\n' /proc/self/status ||
    fail "the image has capabilities, or may get new privileges."
inside python -c 'import socket; assert [name for _, name in socket.if_nameindex()] == ["lo"]' ||
    fail "there is a network."

inside python -c '
import importlib.util, pkgutil, app
for module in pkgutil.walk_packages(app.__path__, "app."):
    importlib.import_module(module.name)
assert not any(map(importlib.util.find_spec, ("keras", "tensorflow")))
' || fail "the image cannot import all of app, or has Keras or TensorFlow."

# The image's own command, with settings.
serve() {
    local started=$SECONDS
    inside env "$@" "${command[@]}" >"$scratch/log" 2>&1 &
    service=$!
    until offline curl --silent --fail --noproxy '*' --output /dev/null "localhost:8000/health"; do
        if ! kill -0 "$service" 2>/dev/null || ((SECONDS - started >= 60)); then
            tail -n 50 "$scratch/log" >&2
            fail "the service is not healthy after $((SECONDS - started)) s."
        fi
        sleep 0.2
    done
    say "healthy after $((SECONDS - started)) s"
}
ask() {
    local picture
    for picture; do
        offline curl --silent --show-error --fail --max-time 30 --noproxy '*' --form "file=@\"$picture\"" \
            --write-out '\n' "localhost:8000/predict" || fail "/predict refuses $picture."
    done >"$scratch/answers"
    inside python -c 'import json, sys
for line in sys.stdin:
    assert abs(sum(json.loads(line)["probabilities"].values()) - 1) < 1e-5, line
' <"$scratch/answers" || fail "no probabilities in an answer."
}
stop() {
    kill -TERM "$(service_below "$service")"
    wait "$service" || fail "SIGTERM ends the service with exit code $?."
    service=
}
pictures=(model_artifacts/current/golden/*.png "$shown"/pictures/*)

serve
inside "${probe[@]:1}" || fail "the image's own HEALTHCHECK fails."
ask "${pictures[@]}"
stop

serve BODYREGION_BUNDLE=/mnt/artifacts/current
ask "${pictures[0]}"
stop

code=0
inside timeout 60 env BODYREGION_BUNDLE=/mnt/old "${command[@]}" >"$scratch/log" 2>&1 || code=$?
((code == 3)) && grep -q "^error: .*bodyregion compile" "$scratch/log" ||
    fail "a bundle without a compiled model ends with exit code $code: $(<"$scratch/log")"

say "ok: the image has $(du --summarize --block-size=MB "$root" | cut -f1), checked in $SECONDS s"
