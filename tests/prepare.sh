#!/bin/sh
# Installs what the tests need beyond Python, on a system with apt, when it may (root, or sudo that asks nothing).
# Says what it does. What is there already is left alone. Without it the tests that need a tool are skipped.
set -eu

wanted=""
want() { # COMMAND PACKAGE...: one of the packages, the first that this system has
  command=$1
  shift
  PATH="$PATH:/usr/sbin:/sbin:/usr/local/go/bin" command -v "$command" >/dev/null 2>&1 || wanted="$wanted $command=$(echo "$@" | tr ' ' '|')"
}

want javac openjdk-17-jdk-headless default-jdk-headless   # builds the demo application
want mvn maven
want dockerd docker.io                                     # a real engine, on a socket of the tests' own
want docker docker-cli docker.io
want podman podman                                         # the other engines' storages are the tests' own, too
want buildah buildah
want runc runc                                             # starts what they build
want skopeo skopeo                                         # puts base images into a registry
want docker-registry docker-registry                       # a real one, on loopback while a test needs it
want go golang-go                                          # builds BuildKit, buildx and kaniko (tests/tools.py)
want ip iproute2                                           # network namespaces with a slow link
want nsenter util-linux
want openssl openssl                                       # certificates for a daemon over TLS
want mmdebstrap mmdebstrap                                 # stand-ins for base images
want dpkg-deb dpkg
want zsh zsh                                               # completes what imgopt completion writes
want fish fish
want chromium chromium                                     # shows the HTML reports
want cc gcc                                                # small libraries for glibc and musl, and musl's real loader
want musl-gcc musl-tools
[ -n "$(find /usr/lib -maxdepth 2 -name libc.a -path '*-gnu*' 2>/dev/null)" ] || wanted="$wanted libc=libc6-dev"
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || wanted="$wanted keyring=debian-archive-keyring"
case $wanted in *dockerd=*) wanted="$wanted buildx=docker-buildx" ;; esac # newer releases have it apart

if [ -z "$wanted" ] && [ -n "$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null | head -n 1)" ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "prepare: no apt-get here; tests that need these tools are skipped:$wanted" >&2
  exit 0
fi
if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "prepare: not root; tests that need these tools are skipped:$wanted" >&2
  exit 0
fi

echo "prepare: apt-get update"
$as_root apt-get update -qq -o Acquire::Retries=3
packages=""
for item in $wanted; do
  for package in $(echo "${item#*=}" | tr '|' ' '); do
    if apt-cache show "$package" >/dev/null 2>&1; then
      packages="$packages $package"
      break
    fi
  done
done
[ -n "$packages" ] || exit 0
echo "prepare: apt-get install$packages"
# no service of these packages shall start here: the tests start their own
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
  $as_root chmod +x $policy
  trap '$as_root rm -f $policy' EXIT
fi
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends -o Acquire::Retries=3 $packages >/dev/null
