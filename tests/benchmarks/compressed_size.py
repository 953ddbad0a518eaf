"""Predicted against real compressed sizes, engine by engine: the demo application in five lines of Spring Boot and
three published jars, each whole and unpacked. About fifteen minutes; needs root and the engines.

`python tests/benchmarks/compressed_size.py [ENGINE...]`
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "optimizer"), str(ROOT / "rules"), str(ROOT / "tests")]

import apps  # noqa: E402
import layer_samples  # noqa: E402
import private_docker  # noqa: E402
import published  # noqa: E402
import real_blobs  # noqa: E402

from imgopt.dockerfile import parse  # noqa: E402
from imgopt.options import Options  # noqa: E402
from imgopt.picture import Jars, take_picture  # noqa: E402
from imgopt.suggest.dockerfile import open_context_of  # noqa: E402
from imgopt.weigh.layers import Weigher  # noqa: E402

#: Smaller layers are not what takes the time.
LEAST_BYTES = 400_000


def main(engines: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as directory:
        contexts = dict(_contexts(Path(directory)))
        for engine in engines:
            with contextlib.ExitStack() as stack:
                daemon = stack.enter_context(private_docker.engine()) if engine == "docker" else None
                builder = stack.enter_context(real_blobs.builder(engine, daemon))
                errors = []
                for name, context in contexts.items():
                    for measured, predicted in zip(
                        builder.blobs(context), _predicted(context, engine), strict=True
                    ):
                        if measured >= LEAST_BYTES:
                            errors.append(abs(predicted / measured - 1))
                            print(
                                f"{engine:9} {name:45} {measured:12,} {predicted:12,} {predicted / measured - 1:+7.2%}",
                                flush=True,
                            )
            print(f"{engine}: median {statistics.median(errors):.2%}, worst {max(errors):.2%}", flush=True)


def _contexts(directory: Path) -> list[tuple[str, Path]]:
    jars = {f"demo {version}": apps.build(version) for version in apps.FULL}
    jars |= {f"{each.name}": published.fetch(each) for each in published.PUBLISHED}
    made = []
    for name, jar in jars.items():
        layers = {"whole": jar, **layer_samples.unpack(jar, directory / name)}
        made += [
            (f"{name}, {layer}", layer_samples.context(directory / f"{name} {layer}", {layer: path}))
            for layer, path in layers.items()
        ]
    libraries = ("zipkin-", "armeria")
    plain = layer_samples.classes(jars["zipkin-server"], libraries, directory / "plain")
    return [*made, ("classes of zipkin", layer_samples.context(directory / "classes", {"plain": plain}))]


def _predicted(context: Path, engine: str) -> list[int]:
    path = context / "Dockerfile"
    document, options, jars = parse(path.read_bytes(), str(path)), Options(context=context), Jars()
    opened, _ = open_context_of(document, options)
    weight = Weigher(jars, engine).weigh(take_picture(document, opened, options, jars))
    return [layer.compressed_bytes or 0 for layer in weight.layers]


if __name__ == "__main__":
    main(sys.argv[1:] or list(real_blobs.ENGINES))
