"""kaniko's executor in a root file system of its own: it unpacks images over whatever its root is.

The root is an empty directory, entered by chroot in mount and process namespaces of its own. When the build ends, or is
ended, the namespaces end with all their processes and mounts, and the directory is removed. Needs root and Linux.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from imgopt.engines.command import Finished, ask, run
from imgopt.engines.docker_endpoint import config_directory
from imgopt.engines.engine import BuildRequest, EngineError
from imgopt.engines.kaniko_version import PRESERVE, contains, version_from
from imgopt.engines.opened import remove
from imgopt.light.records import dataclass, field

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
# mounts are what kaniko leaves out of its snapshots, as in a container
_ENTER = """
set -e
root=$1 executor=$2 context=$3 layout=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
for file in resolv.conf hosts; do
  : > "$root/etc/$file"
  if [ -e "/etc/$file" ]; then mount --bind "/etc/$file" "$root/etc/$file"; fi
done
mount --bind -o ro "$executor" "$root/kaniko/executor"
mount --bind "$context" "$root/kaniko/context"
mount -o remount,bind,ro "$root/kaniko/context"
mount --bind "$layout" "$root/kaniko/layout"
exec chroot "$root" /kaniko/executor "$@"
"""


@dataclass(frozen=True)
class ChrootExecutor:
    """An executor that is a program of this machine. EngineError when it cannot run here."""

    program: Path
    place: str = "in a chroot"
    version: str = field(init=False)
    knows_preserve: bool = field(init=False)

    def __post_init__(self) -> None:
        if sys.platform != "linux" or os.geteuid() != 0:
            raise EngineError(
                f"kaniko's executor {self.program} writes over its root file system, and only root on Linux can give it one "
                "of its own",
                "run as root, or name kaniko's image with --kaniko IMAGE",
            )
        for tool in ("unshare", "chroot", "mount"):
            if shutil.which(tool, path=PATH) is None:
                raise EngineError(
                    f"{tool} is not installed, which kaniko's chroot needs", "install util-linux"
                )
        object.__setattr__(self, "version", version_from(ask([str(self.program), "version"])))
        object.__setattr__(self, "knows_preserve", contains(self.program, PRESERVE))

    def run(
        self, request: BuildRequest, arguments: Sequence[str], environment: Mapping[str, str], layout: Path
    ) -> Finished:
        layout.mkdir()
        root = Path(tempfile.mkdtemp(prefix="root-", dir=layout.parent))
        try:
            self._lay_out(root, request)
            command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER, "kaniko"]
            command += [str(root), str(self.program), str(request.context.resolve()), str(layout)]
            command += [
                "--force",
                "--no-push",
                "--context=dir:///kaniko/context",
                "--dockerfile=/kaniko/imgopt/Dockerfile",
            ]
            command += ["--oci-layout-path=/kaniko/layout", "--log-format=color", *arguments]
            return run(
                command,
                seconds=request.seconds,
                line=request.line,
                dying=signal.SIGKILL,  # unshare hears no other, and takes all that runs in it along
                environment={
                    **environment,
                    "PATH": f"{PATH}:/kaniko",
                    "HOME": "/root",
                    "USER": "root",
                    "SSL_CERT_DIR": "/kaniko/ssl/certs",
                    "DOCKER_CONFIG": "/kaniko/.docker",
                },
            )
        finally:
            remove(root)

    def _lay_out(self, root: Path, request: BuildRequest) -> None:
        for name in (
            "proc",
            "sys",
            "dev",
            "etc",
            "tmp",
            "root",
            "kaniko/context",
            "kaniko/layout",
            "kaniko/imgopt",
        ):
            (root / name).mkdir(parents=True)
        root.chmod(0o755)
        (root / "tmp").chmod(0o1777)
        (root / "kaniko" / "executor").touch()
        try:
            shutil.copy(request.dockerfile, root / "kaniko" / "imgopt" / "Dockerfile")
            ignore = request.dockerfile.with_name(request.dockerfile.name + ".dockerignore")
            if ignore.is_file():
                shutil.copy(ignore, root / "kaniko" / "imgopt" / "Dockerfile.dockerignore")
        except OSError as error:
            raise EngineError(
                f"{error.filename} cannot be read: {error.strerror}", "check its permissions"
            ) from error
        certificates = root / "kaniko" / "ssl" / "certs"
        certificates.mkdir(parents=True)
        bundle = next((Path(path) for path in _CERTIFICATES if Path(path).is_file()), None)
        if bundle is not None:
            shutil.copy(bundle, certificates / "ca-certificates.crt")
        docker = root / "kaniko" / ".docker"
        docker.mkdir(mode=0o700)
        credentials = config_directory() / "config.json"
        if credentials.is_file():
            shutil.copy(credentials, docker / "config.json")
