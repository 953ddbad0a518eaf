"""How people write the builds and pushes of several images in shell and in Makefiles: what is pushed from which Dockerfile,
under which name, and how many at once; or that it is not known, and why."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from command_line import Imgopt, imgopt

__all__ = ["imgopt"]

DOCKERFILE = "FROM eclipse-temurin:17-jre\nCOPY app.jar /app.jar\n"
THREE = ("api", "web", "worker")


@dataclass(frozen=True)
class Form:
    """``pushes``: each as "Dockerfile -> name", or "? -> name" where its Dockerfile is not known. ``at_once``: of each how
    many others. ``unjudged``: a part of why something is not known; ``inputs``: what is looked at, `.gitlab-ci.yml` with the
    script as a job where nothing is said."""

    name: str
    script: str
    pushes: tuple[str, ...]
    at_once: tuple[int, ...] = ()
    unjudged: str | None = None
    modules: tuple[str, ...] = THREE
    files: dict[str, str] = field(default_factory=dict)
    looked_at: str = ".gitlab-ci.yml"
    at_once_in_release: int | None = None
    images: int | None = None  # of the release, where it is not the number of pushes


def of(*modules: str, name: str = "r/{}:1") -> tuple[str, ...]:
    return tuple(f"{module}/Dockerfile -> {name.format(module)}" for module in modules)


EACH = "docker build -t r/$m:1 $m\ndocker push r/$m:1"
FORMS = [
    # values
    Form(
        "array",
        'MODS=(api web worker)\nfor m in "${MODS[@]}"; do\n' + EACH + "\ndone",
        of(*THREE),
    ),
    Form("words-of-a-variable", 'MODS="api web"\nfor m in $MODS; do ' + EACH + "; done", of("api", "web")),
    Form(
        "array-that-grows",
        'MODS=()\nMODS+=(api)\nMODS+=("web")\nfor m in ${MODS[*]}; do\n' + EACH + "\ndone",
        of("api", "web"),
    ),
    Form(
        "array-over-lines-with-remarks",
        'MODS=(\n  api # the first\n  web\n)\nfor m in "${MODS[@]}"; do\n' + EACH + "\ndone",
        of("api", "web"),
    ),
    Form(
        "array-by-index",
        "MODS=(api web)\nfor ((i=0; i<${#MODS[@]}; i++)); do\nm=${MODS[$i]}\n" + EACH + "\ndone",
        of("api", "web"),
    ),
    Form(
        "keys-and-values",
        'declare -A IN=([a]=api [w]=web)\nfor k in "${!IN[@]}"; do docker build -t r/$k:1 "${IN[$k]}"; docker push r/$k:1; done',
        ("api/Dockerfile -> r/a:1", "web/Dockerfile -> r/w:1"),
    ),
    Form(
        "pairs-cut-with-patterns",
        'for e in a:api "w:web"; do\n  docker build -t r/${e%%:*}:1 ${e#*:}\n  docker push "r/${e%%:*}:1"\ndone',
        ("api/Dockerfile -> r/a:1", "web/Dockerfile -> r/w:1"),
    ),
    Form(
        "braces",
        "for m in {api,web}; do " + EACH.replace("\n", "; ") + "; done",
        of("api", "web"),
    ),
    Form(
        "default",
        "DIR=${SERVICE_DIR:-api}\ndocker build -f $DIR/Dockerfile -t ${REG:-r}/app:${TAG:-1} $DIR\ndocker push ${REG:-r}/app:${TAG:-1}",
        ("api/Dockerfile -> r/app:1",),
    ),
    Form(
        "set-where-a-test-says-so",
        '[ -n "$ONE" ] && MODS=("$ONE")\nMODS=(api web)\n[[ -n "$ONE" ]] && MODS=("$ONE")\nfor m in "${MODS[@]}"; do\n' + EACH + "\ndone",
        of("api", "web"),
    ),
    Form(
        "not-set-where-a-test-says-no",
        'T=1\n[ -n "" ] && T=2\n[ -n "$T" ] || T=3\ndocker build -t r/api:$T api\ndocker push r/api:$T',
        of("api"),
    ),
    Form(
        "words-of-which-one-is-not-known",
        'docker build -t r/api:1 api\nfor h in "$HOST" b.example; do docker tag r/api:1 $h/api:1; docker push $h/api:1; done',
        ("api/Dockerfile -> $HOST/api:1", "api/Dockerfile -> b.example/api:1"),
    ),
    Form(
        "part-of-a-hash",
        "docker build -t r/api:${CI_COMMIT_SHA::8} api\ndocker push r/api --all-tags",
        ("api/Dockerfile -> r/api",),
    ),
    Form(
        "columns",
        "for e in a:api w:web; do\n  n=$(echo \"$e\" | awk -F: '{print $1}')\n  d=$(echo \"$e\" | awk -F \":\" '{ print $2 }')\n"
        "  docker build -t r/$n:1 $d\n  docker push r/$n:1\ndone",
        ("api/Dockerfile -> r/a:1", "web/Dockerfile -> r/w:1"),
    ),
    Form(
        "tags-of-what-was-built-elsewhere",
        "docker tag app r/app:1\ndocker tag r/app:1 r/app:latest\ndocker push r/app:1\ndocker push r/app:latest\ndocker push r/other:1",
        ("? -> r/app:1", "? -> r/other:1"),
        modules=(),
    ),
    Form(
        "tags-of-what-is-not-known",
        'for m in api web; do\n  LOCAL="$(project-of-this-directory-as-compose-calls-it)_$m"\n  docker tag $LOCAL r/$m:1\n  docker push r/$m:1\ndone',
        ("? -> r/api:1", "? -> r/web:1"),
        modules=(),
    ),
    Form(
        "chosen-by-a-test",
        'for m in api web; do\n  d=$([ "$m" = api ] && echo api || echo "$m")\n  n=$(test -z "$m" && echo none || echo $m)\n'
        "  docker build -t r/$n:1 $d\n  docker push r/$n:1\ndone",
        of("api", "web"),
    ),
    Form(
        "built-again-under-another-tag",
        "if [ $CI_COMMIT_BRANCH = main ]; then\n  docker build -t r/api:$TAG api\n  docker push r/api:$TAG\n"
        "else\n  docker build -t r/api:dev api\n  docker push r/api:dev\nfi\ndocker build -t r/api:${SHA:0:7} api\ndocker push r/api:${SHA:0:7}",
        tuple(f"api/Dockerfile -> r/api:{tag}" for tag in ("$TAG", "dev", "${SHA:0:7}")),
        images=1,
    ),
    Form(
        "built-again-of-something-else",
        "for e in dev prod; do\n  mvn -q package -P $e\n  docker build -t r/api:$e api\n  docker push r/api:$e\ndone\n"
        "docker build --build-arg A=1 -t r/api:a api\ndocker push r/api:a\ndocker build --build-arg A=2 -t r/api:b api\ndocker push r/api:b",
        tuple(f"api/Dockerfile -> r/api:{tag}" for tag in ("dev", "prod", "a", "b")),
        images=4,
    ),
    Form(
        "built-again-beside-what-changes-nothing",
        "for e in dev prod; do\n  echo $e\n  docker --config /c login r 2>/dev/null\n  docker build -t r/api:$e api\n  docker push r/api:$e >&2\ndone",
        tuple(f"api/Dockerfile -> r/api:{tag}" for tag in ("dev", "prod")),
        images=1,
    ),
    *(
        Form(
            f"built-again-after-{name}",
            f"for m in api web worker; do\n  {between}\n  docker build {args} -t r/$m:1 api\n  docker push r/$m:1\ndone",
            tuple(f"api/Dockerfile -> r/{module}:1" for module in THREE),
            images=3,
            unjudged=unjudged,
        )
        for name, between, args, unjudged in (
            ("a-file-is-written", "echo $m > api/module.txt", "", None),
            ("a-file-grows", "printf $m 1>> api/module.txt", "", None),
            ("all-output-goes-to-a-file", "echo $m &> api/module.txt", "", None),
            ("a-group-is-written", "{ echo $m; date; } > api/module.txt", "", None),
            ("a-file-is-emptied", ": >api/module.txt", "", None),
            ("a-run-in-a-container", "docker run --rm -v $PWD:/src maven:3 mvn -q package", "", None),
            ("a-run-with-options-in-front", "docker --context c container run -v $PWD:/src maven:3 true", "", None),
            ("a-copy-out-of-a-container", "docker cp c:/app.jar api/", "", None),
            ("a-command-in-a-container", "podman exec c true", "", None),
            ("a-service-that-runs", "docker compose run build", "", None),
            ("a-copy-out-of-a-pod", "kubectl -n ci cp p:/app.jar api/app.jar", "", None),
            ("a-build-that-leaves-files", "docker build -f web/Dockerfile -o api web", "", None),
            ("a-script-that-is-elsewhere", "./tools/prepare.sh $m", "", None),
            ("a-target-that-is-elsewhere", "make -C tools prepare M=$m", "", None),
            ("a-program-that-is-not-known", "$GENERATE $m", "", None),
            ("a-variable-is-exported", "export MODULE=$m", "--build-arg MODULE", None),
        )
    ),
    Form(
        "directory-at-home",
        "for m in api web; do\n  cd ~/src/$m\n  docker build -t r/$m:1 .\n  docker push r/$m:1\ndone",
        ("? -> r/api:1", "? -> r/web:1"),
        unjudged="the directory of the build is not known here",
    ),
    Form(
        "unknown-tag",
        "TAG=$(git rev-parse --short HEAD)\nfor m in api web; do docker build -t $REG/$m:$TAG $m; docker push $REG/$m:$TAG; done",
        of("api", "web", name="$REG/{}:$(git rev-parse --short HEAD)"),
    ),
    Form(
        "directories-by-a-glob",
        "for d in */; do\n  m=${d%/}\n  " + EACH + "\ndone",
        of(*THREE),
    ),
    Form(
        "dockerfiles-by-a-glob",
        "for f in services/*/Dockerfile; do d=$(dirname $f); n=$(basename $d)\ndocker build -t r/$n:1 -f $f $d && docker push r/$n:1; done",
        ("services/a/Dockerfile -> r/a:1", "services/b/Dockerfile -> r/b:1"),
        modules=("services/a", "services/b"),
    ),
    Form(
        "dockerfiles-by-find",
        'for f in $(find services -name Dockerfile | sort); do d=$(dirname "$f"); n=${d##*/}\n'
        "docker build -t r/$n:1 $d; docker push r/$n:1; done",
        ("services/a/Dockerfile -> r/a:1", "services/b/Dockerfile -> r/b:1"),
        modules=("services/a", "services/b"),
    ),
    Form(
        "only-where-a-dockerfile-is",
        'for d in */; do\n  [ -f "$d/Dockerfile" ] || continue\n  m=$(basename "$d")\n  ' + EACH + "\ndone",
        of(*THREE),
        files={"docs/readme.md": "x"},
    ),
    Form(
        "glob-of-nothing",
        "for d in nowhere/*/; do docker build -t r/x:1 $d; docker push r/x:1; done",
        ("? -> r/x:1",),
        unjudged="for d in nowhere/*/ is not followed: which words these are is not known here",
    ),
    Form(
        "names-that-nobody-knows",
        "for m in $(./changed-modules); do " + EACH + "; done",
        ("? -> r/$m:1",),
        unjudged="for m in $(./changed-modules) is not followed",
    ),
    Form(
        "cd-into-each",
        "for m in api web; do\n  cd $m\n  docker build -t r/$m:1 .\n  docker push r/$m:1\n  cd ..\ndone",
        of("api", "web"),
    ),
    Form(
        "pushd",
        "for m in api web; do pushd $m >/dev/null; docker build -t r/$m:1 .; docker push r/$m:1; popd; done",
        of("api", "web"),
    ),
    Form(
        "subshell-of-a-directory",
        "(cd api && docker build -t r/api:1 .)\n(cd web && docker build -t r/web:1 .)\ndocker push r/api:1\ndocker push r/web:1",
        of("api", "web"),
    ),
    # functions
    Form(
        "function-with-arguments",
        'publish() {\n  local m="$1" tag=$2\n  docker build -t "r/$m:$tag" "$m"\n  docker push "r/$m:$tag"\n}\n'
        "publish api 1\npublish web 1",
        of("api", "web"),
    ),
    Form(
        "function-that-shifts",
        'publish() {\n  t=$1; shift\n  for m in "$@"; do docker build -t r/$m:$t $m; docker push r/$m:$t; done\n}\npublish 1 api web',
        of("api", "web"),
    ),
    Form(
        "function-that-tries-again",
        'again() { for i in 1 2 3; do "$@" && break; sleep 5; done; }\nfor m in api web; do docker build -t r/$m:1 $m; '
        "again docker push r/$m:1; done",
        of("api", "web"),
    ),
    Form(
        "until-it-is-there",
        "docker build -t r/api:1 api\nuntil docker push r/api:1; do sleep 10; done",
        of("api"),
    ),
    Form(
        "command-in-a-variable",
        'cmd="docker build"\ncmd="$cmd -t r/api:1 -f api/Dockerfile"\n$cmd api\neval "docker push r/api:1"',
        of("api"),
    ),
    Form(
        "flags-in-an-array",
        'ARGS=(-t r/api:1)\nARGS+=(--build-arg A=b)\ndocker build "${ARGS[@]}" api\ndocker push r/api:1',
        of("api"),
    ),
    Form(
        "one-of-two-arms",
        'if [ "$ENV" = prod ]; then\n  for m in api web worker; do ' + EACH + "; done\nelse\n  m=api\n  " + EACH + "\nfi",
        (*of(*THREE), *of("api")),
        images=3,
    ),
    Form(
        "arms-of-a-case",
        "case $CI_COMMIT_BRANCH in\n  main) MODS='api web worker' ;;\n  *) MODS='api web' ;;\nesac\nfor m in $MODS; do "
        + EACH
        + "; done",
        of(*THREE),
    ),
    # lines
    Form("while-read-a-file", "while read -r m; do\n" + EACH + "\ndone < modules.txt", of("api", "web"), files={"modules.txt": "api\nweb\n"}),
    Form(
        "while-read-a-document",
        "while read -r m d; do docker build -t r/$m:1 -f $d/Dockerfile $d; docker push r/$m:1; done <<EOF\napi api\nweb web\nEOF",
        of("api", "web"),
    ),
    Form("while-read-a-pipe", "printf '%s\\n' api web | while IFS= read -r m; do\n" + EACH + "\ndone", of("api", "web")),
    Form(
        "while-read-fields",
        "while IFS=, read -r n d; do\n  docker build -t r/$n:1 $d\n  docker push r/$n:1\ndone < <(grep -v '^#' list.csv)",
        of("api", "web"),
        files={"list.csv": "# name,dir\napi,api\nweb,web\n"},
    ),
    Form(
        "while-read-something",
        "docker images --format '{{.Repository}}' | while read -r m; do docker push r/$m; done",
        ("? -> r/$m",),
        unjudged="while read is not followed: the lines that it reads are not known here",
        modules=(),
    ),
    # at once
    Form("background", "for m in api web worker; do (" + EACH.replace("\n", "; ") + ") & done\nwait", of(*THREE), (2, 2, 2)),
    Form(
        "background-in-two-waves",
        "for m in api web worker; do docker build -t r/$m:1 $m; done\ndocker push r/api:1 & docker push r/web:1 &\nwait\ndocker push r/worker:1",
        of(*THREE),
        (1, 1, 0),
    ),
    Form(
        "xargs",
        "for m in api web; do docker build -t r/$m:1 $m; done\necho api web | xargs -n1 -I{} docker push r/{}:1",
        ("? -> r/api web:1",),
    ),
    Form(
        "xargs-for-lines",
        "for m in api web; do docker build -t r/$m:1 $m; done\nprintf '%s\\n' api web | xargs -I{} docker push r/{}:1",
        of("api", "web"),
    ),
    Form(
        "xargs-at-once",
        "for m in api web worker; do docker build -t r/$m:1 $m; done\necho r/api:1 r/web:1 r/worker:1 | xargs -n 1 -P 2 docker push",
        of(*THREE),
        (1, 1, 0),
    ),
    Form(
        "xargs-with-a-shell",
        "printf 'api\\nweb\\n' | xargs -P4 -I % sh -c 'docker build -t r/%:1 % && docker push r/%:1'",
        of("api", "web"),
        (1, 1),
    ),
    Form(
        "xargs-of-what-the-engine-has",
        "docker images -q | xargs -n1 docker push",
        ("? -> $each",),
        unjudged="xargs -n1 docker push is not followed: what it is repeated for is not known here",
        modules=(),
    ),
    Form(
        "parallel",
        "for m in api web; do docker build -t r/$m:1 $m; done\nparallel -j2 docker push r/{}:1 ::: api web",
        of("api", "web"),
        (1, 1),
    ),
]  # fmt: skip

POD = "kind: Pod\nspec:\n  containers:\n  - image: kaniko-project/executor\n    args: [--dockerfile=api/Dockerfile, --destination=r/api:1]\n"
TOOLS = [
    Form(
        "options-before-the-subcommand",
        "docker --config /c -H tcp://d:2375 build -t r/api:1 api\ndocker --context remote push r/api:1",
        of("api"),
    ),
    Form("image-group", "docker image build -t r/api:1 api\ndocker image push r/api:1", of("api")),
    Form("a-word-in-front-that-is-not-known", "$SUDO docker build -t r/api:1 api\n${PREFIX} docker push r/api:1", of("api")),
    Form("only-said", "RUN=echo\n$RUN docker push r/api:1", (), modules=()),
    Form("cleared-away", "docker images -q | xargs docker rmi\nfor c in $(docker ps -q); do docker stop $c; done", (), modules=()),
    Form("wrapped", "sudo -E nohup env A=b timeout 300 docker build -t r/api:1 api\ntime retry 3 docker push r/api:1", of("api")),
    Form(
        "several-registries",
        "docker build -t app api\nfor h in a.example b.example; do docker tag app $h/app:1; docker push $h/app:1; done",
        ("api/Dockerfile -> a.example/app:1", "api/Dockerfile -> b.example/app:1"),
    ),
    Form(
        "two-tags-in-one-registry",
        "docker build -t r/api:1 -t r/api:latest api\ndocker push r/api:1\ndocker push r/api:latest",
        of("api"),
    ),
    Form(
        "buildx-to-two-registries",
        "docker buildx --builder b build --push -t a.example/app:1 -t b.example/app:1 -t a.example/app:2 api",
        ("api/Dockerfile -> a.example/app:1", "api/Dockerfile -> b.example/app:1"),
    ),
    Form("buildx-output", "docker buildx build -o type=image,name=r/api:1,push=true api", of("api")),
    Form("buildx-registry", "docker buildx build --output type=registry -t r/api:1 api", of("api")),
    Form("buildx-that-keeps-it", "docker buildx build --load -t r/api:1 api", ()),
    Form(
        "bake",
        "docker buildx bake --push",
        ("api/Dockerfile -> r/api:1", "web/other.Dockerfile -> r/web:1"),
        files={
            "docker-bake.hcl": 'group "default" { targets = ["api", "web"] }\ntarget "api" { context = "api"\n tags = ["r/api:1"] }\n'
            'target "web" { context = "web"\n dockerfile = "other.Dockerfile"\n tags = ["r/web:1"] }\n'
            'target "dev" { context = "worker"\n tags = ["r/dev:1"] }\n',
            "web/other.Dockerfile": DOCKERFILE,
        },
    ),
    Form(
        "bake-without-its-file",
        "docker buildx bake -f generated.hcl --push",
        ("? -> None",),
        unjudged="the bake file is not in this repository",
        modules=(),
    ),
    Form(
        "compose",
        "docker compose -f deploy/compose.yaml build\ndocker compose -f deploy/compose.yaml push",
        of("api", "web"),
        files={
            "deploy/compose.yaml": "services:\n  api:\n    build: ../api\n    image: r/api:1\n  web:\n    image: r/web:1\n"
            "    build:\n      context: ../web\n  db:\n    image: postgres\n"
        },
    ),
    Form(
        "old-compose",
        "docker-compose build web\ndocker-compose push web",
        of("web"),
        files={"docker-compose.yml": "services:\n  api: {build: api, image: 'r/api:1'}\n  web: {build: web, image: 'r/web:1'}\n"},
    ),
    Form(
        "compose-without-names",
        "docker-compose -p shop build\ndocker tag shop_api r/api:1\ndocker tag shop-web r/web:1\nfor m in api web; do docker push r/$m:1; done",
        of("api", "web"),
        files={"docker-compose.yml": "services:\n  api: {build: api}\n  web: {build: web}\n"},
    ),
    Form("podman", "podman build -t r/api:1 api\npodman push r/api:1", of("api")),
    Form("buildah", "buildah bud -t r/api:1 api\nbuildah push r/api:1 docker://r/api:1", of("api")),
    Form("shell-on-another-machine", 'ssh ci@h "cd x && docker push r/api"', (), unjudged="ssh docker push is not followed"),
    *(
        Form(f"shell-on-another-machine-{name}", script, (), unjudged=f"ssh {told} is not followed", files={"deploy.sh": "docker push r/x\n"})
        for name, script, told in (
            ("with-a-context", 'ssh h "docker --context prod push x"', "docker --context prod push"),
            ("with-a-switch", "ssh h podman --remote push x", "podman --remote push"),
            ("with-a-builder", 'ssh h "docker buildx --builder b build --push -t x ."', "docker buildx --builder b build"),
            ("with-options-of-compose", 'ssh h "docker --tls compose -f a.yaml --profile p push"', "docker --tls compose -f a.yaml --profile p push"),
            ("with-skopeo", 'ssh h "skopeo --debug copy docker://a docker://b"', "skopeo --debug copy"),
            ("by-make", "ssh h make push", "make push"),
            ("by-make-elsewhere", "ssh h make -C app docker-push", "make -C app docker-push"),
            ("by-a-pipe", "echo 'docker push x' | ssh h", "docker push"),
            ("by-a-pipe-of-a-file", "cat deploy.sh | ssh h bash -s", "docker push"),
        )
    ),
    *(
        Form(f"shell-on-another-machine-{name}", script, (), files={"deploy.sh": "docker pull r/x\n"})
        for name, script in (
            ("that-pulls", 'ssh h "docker --context prod pull x/push"'),
            ("that-makes-something-else", "ssh h make test"),
            ("that-is-fed-something-else", "cat deploy.sh | ssh h bash -s"),
        )
    ),
    Form("shell-fed-by-a-pipe", "echo 'docker push r/x' | bash", (), unjudged="bash docker push is not followed"),
    Form("written-by-a-pipe", "printf 'build:\\n  script:\\n  - docker push r/a\\n' | tee child.yml", (), unjudged="who runs it is not in this file"),
    Form("shell-of-somebody-else", 'su - ci -c "docker build api"', (), unjudged="su docker build is not followed"),
    Form("shell-in-a-container", 'docker exec d sh -c "docker push r/a"', (), unjudged="sh docker push is not followed"),
    Form("pipeline-of-tekton", "tkn pipeline start build\ntkn pipelinerun logs", (), unjudged="tkn is not followed"),
    Form("build-in-openshift", "oc start-build api --from-dir=.", (), unjudged="oc start-build is not followed"),
    Form("shell-that-reads", "bash -s <<'X'\ndocker push r/a\nX", (), unjudged="bash docker push is not followed"),
    Form("shell-that-does-something-else", 'ssh ci@h "docker compose pull && docker compose up -d"\nsu - ci -c ls', ()),
    Form(
        "pipeline-that-is-written",
        "cat <<'X' > child.yml\nbuild:\n  script:\n  - /kaniko/executor -d r/a\nX",
        (),
        unjudged="who runs it is not in this file",
    ),
    Form("help-that-is-written", "cat <<'X'\nusage: build.sh NAME\n  docker push NAME comes next\nX", ()),
    Form("manifest-elsewhere", "kubectl apply -f k/kaniko.yaml", (), unjudged="kubectl with k/kaniko.yaml is not followed"),
    Form("manifest-elsewhere-of-the-application", "kubectl apply -f k/api.yaml", ()),
    *(
        Form(f"manifest-filled-in-by-{name}", script, (), files={"k/pod.yaml": POD}, unjudged="kubectl with kaniko", modules=())
        for name, script in (
            ("envsubst", "envsubst < k/pod.yaml | kubectl -n ci apply -f -"),
            ("envsubst-with-names", "envsubst '$TAG' <k/pod.yaml | tee /tmp/x | kubectl create -f -"),
            ("sed", "sed s/A/$B/ k/pod.yaml | kubectl apply -f -"),
            ("yq", "yq '.metadata.name = env(NAME)' k/pod.yaml | kubectl apply -f -"),
        )
    ),
    Form("manifest-of-the-application-filled-in", "envsubst < k/api.yaml | kubectl apply -f -", (), files={"k/api.yaml": "kind: Pod\n"}, modules=()),
    *(
        Form(f"compose-run-{name}", script, of("api"), files={file: text})
        for name, script, file, text in (
            ("of-kaniko", "docker compose run --rm k --dockerfile=api/Dockerfile --destination=r/api:1", "compose.yaml", "services: {k: {image: 'gcr.io/kaniko-project/executor:v1.24.0'}}\n"),
            ("of-kaniko-by-its-command", "docker-compose -f ci.yml run k", "ci.yml", "services:\n  k:\n    image: kaniko-project/executor\n    command: [--dockerfile=api/Dockerfile, --destination=r/api:1]\n"),
            ("of-kaniko-in-a-text", "docker compose run k", "docker-compose.yml", "services:\n  k:\n    image: kaniko-project/executor\n    command: --dockerfile=api/Dockerfile --destination=r/api:1\n"),
        )
    ),
    Form("compose-run-of-kaniko-without-words", "docker compose run k", (), files={"compose.yaml": "services: {k: {image: kaniko-project/executor}}\n"}, unjudged="what it builds is not said there", modules=()),
    Form("compose-run-of-something-else", "docker compose run api true", (), files={"compose.yaml": "services: {api: {image: r/api}}\n"}, modules=()),
    Form("maven-goals-of-a-variable", "mvn -B $GOALS", (), files={"pom.xml": "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>b</artifactId><version>1</version></project>"}, unjudged="which goals these are is not known here", modules=()),
    Form("gradle-tasks-of-a-variable", './gradlew "$TASK"', (), files={"build.gradle": ""}, unjudged="which tasks these are is not known here", modules=()),
    *(
        Form(f"maven-{name}", script, (), files={"build.gradle": "", "pom.xml": "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>b</artifactId><version>1</version></project>"}, modules=())
        for name, script in (
            ("options-as-gitlab-calls-them", "mvn $MAVEN_CLI_OPTS verify"),
            ("arguments", 'mvn "${EXTRA_ARGS}" test'),
            ("a-module-of-a-variable", './gradlew ":$MODULE:test"'),
        )
    ),
    Form("maven-options-of-a-variable", "mvn -B -Drevision=$REV test", (), files={"pom.xml": "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>b</artifactId><version>1</version></project>"}, modules=()),
    Form("manifest-filled-in", 'sed "s/A/$B/" k/kaniko.yaml | kubectl apply -f -', (), unjudged="kubectl with kaniko"),
    Form(
        "buildah-without-a-dockerfile",
        "c=$(buildah from scratch)\nbuildah copy $c api/app.jar /\nbuildah commit $c r/api:1",
        (),
        unjudged="buildah commit is not followed",
    ),
    Form("nerdctl", "nerdctl -n k8s.io build -t r/api:1 api\nnerdctl -n k8s.io push r/api:1", of("api")),
    Form("img", "img build -t r/api:1 api\nimg push r/api:1", of("api")),
    Form("skopeo", "docker build -t r/api:1 api\nskopeo --policy p copy docker-daemon:r/api:1 docker://r/api:1", of("api")),
    Form(
        "skopeo-between-registries",
        "skopeo copy docker://a.example/x:1 docker://b.example/x:1",
        ("? -> b.example/x:1",),
        unjudged="it copies a.example/x:1 from another registry",
        modules=(),
    ),
    Form("crane", "docker build -t r/api:1 api\ndocker save r/api:1 -o a.tar\ncrane push a.tar r/api:1", of("api")),
    Form(
        "kaniko-in-docker",
        "timeout 600 docker run --rm -v $PWD/api:/workspace gcr.io/kaniko-project/executor:v1.24.0 --destination r/api:1",
        of("api"),
    ),
    Form("kaniko-by-its-short-options", "executor -f api/Dockerfile -c . -d r/api:1\nkaniko -c web -f web/Dockerfile -d r/web:1", of("api", "web")),
    Form("executor-of-something-else", "executor --verbose r/api:1\nkaniko version", (), modules=()),
    Form(
        "kaniko-in-a-pod",
        "kubectl -n ci run k --image=ghcr.io/osscontainertools/kaniko:v1.24.0 --restart=Never -- --dockerfile=api/Dockerfile --destination=r/api:1",
        of("api"),
    ),
    Form(
        "kaniko-in-a-pod-of-json",
        'kubectl run k --image=kaniko --overrides=\'{"spec": {"containers": [{"image": "kaniko-project/executor", "args": '
        '["--dockerfile=api/Dockerfile", "--destination=r/api:1"]}]}}\'',
        of("api"),
    ),
    Form(
        "kaniko-in-a-pod-that-is-not-read",
        'kubectl run k --image=kaniko-project/executor --overrides="$(cat pod.json)"',
        (),
        unjudged="the pod in its --overrides is not read",
        modules=(),
    ),
    Form(
        "kaniko-in-a-manifest",
        "kubectl apply -f ci/build.yaml\ncat <<END | kubectl apply -f -\nkind: Pod\nspec:\n  containers:\n"
        "  - image: kaniko-project/executor\n    args: [--dockerfile=web/Dockerfile, --destination=r/web:1]\nEND\nkubectl apply -f app.yaml",
        of("api", "web"),
        files={
            "ci/build.yaml": "kind: Job\nspec:\n  template:\n    spec:\n      containers:\n      - image: kaniko-project/executor:v1.24.0\n"
            "        args:\n        - --dockerfile=api/Dockerfile\n        - --destination=r/api:1\n",
            "app.yaml": "kind: Pod\nspec:\n  containers:\n  - image: r/api:1\n    args: [--destination=x]\n",
        },
    ),
    *(
        Form(f"kaniko-in-a-pod-{name}", f"kubectl {before}run k --image=kaniko-project/executor {behind}-- --dockerfile=api/Dockerfile --destination=r/api:1", of("api"))
        for name, before, behind in (
            ("of-a-context", "--kubeconfig k --context c -n ci -v 6 ", ""),
            ("by-a-server", "-s https://h --token t --as ci ", "--restart Never "),
        )
    ),
    Form("another-pod-called-run", "kubectl get -n run pods --image kaniko-project/executor -- --destination=r/api:1", (), modules=()),
    Form(
        "kaniko-in-a-pod-of-json-that-is-not-read",
        'kubectl run k --image=busybox --overrides="{\\"spec\\": {\\"image\\": \\"kaniko-project/executor\\", $MORE"',
        (),
        unjudged="the pod in its --overrides is not read",
        modules=(),
    ),
    *(
        Form(f"kaniko-in-a-directory-{name}", script, of("api"), files={path: POD})
        for name, script, path in (
            ("of-manifests", "kubectl -n ci apply -f ci/", "ci/build.yaml"),
            ("of-json", "kubectl create --filename=ci", "ci/build.yml"),
            ("below", "kubectl apply -R -f ci", "ci/a/b/build.yaml"),
        )
    ),
    Form("kaniko-in-a-directory-below-that-is-not-applied", "kubectl apply -f ci", (), files={"ci/a/build.yaml": POD}, modules=()),
    Form("kaniko-in-a-text-beside", "kubectl apply -f ci", (), files={"ci/build.txt": POD}, modules=()),
    Form("kaniko-by-kustomize", "kubectl apply -k ci", (), files={"ci/kustomization.yaml": "resources: [build.yaml]\n", "ci/build.yaml": POD}, unjudged="what ci is put together to is not read", modules=()),
    Form("kustomize-of-the-application", "kubectl apply -k ci", (), files={"ci/kustomization.yaml": "resources: [a.yaml]\n"}, modules=()),
    *(
        Form(f"in-a-container-{name}", f"docker build -t r/api:1 api\n{script}", of("api"))
        for name, script in (
            ("of-docker", "docker run --rm -v /var/run/docker.sock:/var/run/docker.sock docker:cli docker push r/api:1"),
            ("of-skopeo", "docker run --rm quay.io/skopeo/stable:v1.16 copy docker-daemon:r/api:1 docker://r/api:1"),
            ("of-crane", "docker save r/api:1 -o a.tar\ndocker run -v $PWD:/w -w /w gcr.io/go-containerregistry/crane push a.tar r/api:1"),
        )
    ),
    Form("in-a-container-that-lists", "docker run docker:cli docker ps\ndocker run quay.io/skopeo/stable inspect docker://r/api", (), modules=()),
    Form("kaniko-of-a-tar", "tar c . | kubectl run k -i --image=kaniko -- --context=tar://stdin --destination=r/api:1", ("? -> r/api:1",), unjudged="a tar that it reads from a pipe", modules=()),
    Form("another-pod", "kubectl run t --image=busybox -- true\nkubectl exec k -- ls", (), modules=()),
    Form(
        "kaniko-to-two-registries",
        "nohup /kaniko/executor --context api --destination a.example/app:1 --destination b.example/app:1",
        ("api/Dockerfile -> a.example/app:1", "api/Dockerfile -> b.example/app:1"),
    ),
    # build tools
    Form("jib", "./mvnw -B -DskipTests package jib:build -Dimage=r/api:1", ("? -> r/api:1",), unjudged="Jib makes it from the build", modules=()),
    Form("jib-by-its-name", "mvn com.google.cloud.tools:jib-maven-plugin:3.4.0:build", ("? -> None",), unjudged="Jib", modules=()),
    Form("jib-into-the-engine", "mvn package jib:dockerBuild", (), unjudged="there is no pom.xml in this repository", modules=()),
    Form(
        "build-image",
        "./mvnw spring-boot:build-image -Dspring-boot.build-image.publish=true -Dspring-boot.build-image.imageName=r/api:1",
        ("? -> r/api:1",),
        unjudged="buildpacks make it",
        modules=(),
    ),
    Form("build-image-that-stays", "./mvnw spring-boot:build-image", (), unjudged="buildpacks make it", modules=()),
    Form("jib-and-then-docker", "mvn jib:dockerBuild -Dimage=r/api:1\ndocker push r/api:1", ("? -> r/api:1",), unjudged="Jib makes it", modules=()),
    Form("dockerfile-maven", "mvn -pl api package dockerfile:build dockerfile:push", ("api/Dockerfile -> None",)),
    Form("dockerfile-maven-in-a-container", "docker run --rm -v $PWD/api:/w -w /w maven:3 mvn package dockerfile:build dockerfile:push", ("api/Dockerfile -> None",)),
    Form("jib-in-a-container", 'docker run -u 1000 --mount type=bind,src="$PWD",dst=/w --workdir /w/api maven:3 mvn jib:build', ("? -> None",), unjudged="Jib", modules=()),
    Form("docker-maven-plugin", "mvn docker:build docker:push", ("? -> None",), unjudged="the build files say", modules=()),
    Form("jkube", "mvn k8s:build k8s:push", ("? -> None",), unjudged="the build files say", modules=()),
    Form("boot-build-image", "./gradlew :api:bootBuildImage --publishImage --imageName=r/api:1", ("? -> r/api:1",), unjudged="buildpacks", modules=()),
    Form("jib-of-gradle", "gradle clean jib --image=r/api:1", ("? -> r/api:1",), unjudged="Jib", modules=()),
    Form("skaffold", "skaffold build --push", (), unjudged="skaffold build is not followed", modules=()),
]  # fmt: skip

STEPS = [
    Form(
        "jenkins-a-file-is-written",
        "",
        tuple(f"Dockerfile -> r/{m}:1" for m in "abc"),
        modules=("",),
        images=3,
        looked_at="Jenkinsfile",
        files={
            "Jenkinsfile": "node { for (m in ['a', 'b', 'c']) { writeFile file: 'module.txt', text: m\n"
            ' sh "docker build -t r/${m}:1 . && docker push r/${m}:1" } }\n'
        },
    ),
    Form(
        "jenkins-another-branch",
        "",
        ("Dockerfile -> r/a:1", "Dockerfile -> r/b:1"),
        modules=("",),
        images=2,
        looked_at="Jenkinsfile",
        files={
            "Jenkinsfile": "node {\n sh 'docker build -t r/a:1 . && docker push r/a:1'\n git branch: 'other', url: 'https://h/x'\n"
            " sh 'docker build -t r/b:1 . && docker push r/b:1'\n}\n"
        },
    ),
    Form(
        "jenkins-one-step",
        "",
        ("Dockerfile -> r/a:1", "Dockerfile -> r/a:2"),
        modules=("",),
        images=1,
        looked_at="Jenkinsfile",
        files={
            "Jenkinsfile": "node {\n sh 'docker build -t r/a:1 . && docker push r/a:1; docker build -t r/a:2 . && docker push r/a:2'\n}\n"
        },
    ),
    Form(
        "github-an-artifact-is-fetched",
        "",
        ("Dockerfile -> r/a", "Dockerfile -> r/b"),
        modules=("",),
        images=2,
        looked_at=".github/workflows/a.yml",
        files={
            ".github/workflows/a.yml": "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"
            "      - run: docker build -t r/a . && docker push r/a\n      - uses: actions/download-artifact@v4\n"
            "        with: {name: b-jar}\n      - run: docker build -t r/b . && docker push r/b\n"
        },
    ),
    Form(
        "github-two-names-that-differ-in-a-sign",
        "",
        ("? -> $needs_a_b_x_1418c1ce", "? -> $needs_a_b_x"),
        modules=(),
        looked_at=".github/workflows/a.yml",
        files={
            ".github/workflows/a.yml": "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"
            "      - run: docker push ${{ needs.a-b.x }}\n      - run: docker push ${{ needs.a_b.x }}\n"
        },
    ),
    Form(
        "github-one-name-twice",
        "",
        ("? -> $needs_a_b_x",),
        modules=(),
        looked_at=".github/workflows/a.yml",
        files={
            ".github/workflows/a.yml": "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"
            "      - run: docker push ${{ needs.a_b.x }}\n      - run: docker push ${{ needs.a_b.x }}\n"
        },
    ),
]  # fmt: skip

SCRIPT = (
    '#!/usr/bin/env bash\nset -euo pipefail\nROOT="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"\ncd "$ROOT"\n'
    'TAG="${1:-latest}"\nfor m in api web; do\n  docker build -t r/$m:$TAG $m\n  docker push r/$m:$TAG\ndone\n'
)
MAKEFILE = (
    "REG ?= r\nTAG := 1\nMODS = api web\n\n.PHONY: all build push\nall: build push\n\nbuild:\n\t@for m in $(MODS); do \\\n"
    "\t  docker build -t $(REG)/$$m:$(TAG) $$m; \\\n\tdone\n\npush: build\n\t$(foreach m,$(MODS),docker push $(REG)/$(m):$(TAG);)\n"
)
PATTERNS = (
    "MODS := api web\nTAG ?= 1\n.PHONY: push-all\npush-all: $(addprefix push-,$(MODS))\nbuild-%:\n\tdocker build -t r/$*:$(TAG) $*\n"
    "push-%: build-%\n\tdocker push r/$*:$(TAG)\n"
)
FILES = [
    Form(
        "script-that-knows-where-it-lies",
        "",
        of("api", "web", name="r/{}:latest"),
        files={"scripts/push.sh": SCRIPT.replace("${BASH_SOURCE[0]:-$0}", "${BASH_SOURCE[0]}").replace("$(cd ", "$( cd ").replace('/.." &&', '/.." >/dev/null 2>&1 &&')},
        looked_at="scripts/push.sh",
    ),
    Form("script-by-itself", "", of("api", "web", name="r/{}:latest"), files={"scripts/push.sh": SCRIPT}, looked_at="scripts/push.sh"),
    Form("script-from-ci", "./scripts/push.sh 1", of("api", "web"), files={"scripts/push.sh": SCRIPT}),
    Form("script-by-bash", "cd scripts && bash push.sh 1", of("api", "web"), files={"scripts/push.sh": SCRIPT}),
    Form(
        "script-that-sources",
        "./push.sh",
        of("api"),
        files={"push.sh": ". ./env.sh\npublish api\n", "env.sh": "T=1\npublish() { docker build -t r/$1:$T $1; docker push r/$1:$T; }\n"},
    ),
    Form(
        "script-with-commands",
        "./ci.sh push",
        of("api"),
        files={"ci.sh": "docker build -t r/api:1 api\ncase $1 in\n  push) docker push r/api:1 ;;\n  test) docker push r/other:1 ;;\nesac\n"},
    ),
    Form(
        "script-that-calls-what-it-is-told",
        "",
        of("api"),
        files={"ci.sh": 'push() { docker build -t r/api:1 api; docker push r/api:1; }\n"$@"\n'},
        looked_at="ci.sh",
    ),
    Form("script-that-is-not-there", "./tools/push.sh", (), unjudged="./tools/push.sh is not followed: it is not in this repository", modules=()),
    Form("makefile-by-itself", "", of("api", "web"), files={"Makefile": MAKEFILE}, looked_at="Makefile"),
    Form("make-from-ci", "make push TAG=2", of("api", "web", name="$REG/{}:2"), files={"Makefile": MAKEFILE.replace("?=", "=").replace("REG = r", "")}),
    Form("make-the-first-target", "make", of("api", "web"), files={"Makefile": MAKEFILE}),
    Form("make-in-a-directory", "make -C api push", of("api"), files={"api/Makefile": "push:\n\tdocker build -t r/api:1 .\n\tdocker push r/api:1\n"}),
    Form("make-patterns", "make push-all", of("api", "web"), files={"Makefile": PATTERNS}),
    Form("make-at-once", "make -j4 push-all", of("api", "web"), (1, 1), files={"Makefile": PATTERNS}),
    Form(
        "make-calls-make",
        "make release",
        of("api", "web"),
        files={
            "Makefile": "release:\n\tfor m in api web; do $(MAKE) one M=$$m; done\none:\n\tdocker build -t r/$(M):1 $(M)\n\tdocker push r/$(M):1\n"
        },
    ),
    Form(
        "make-templates",
        "make push",
        of("api", "web"),
        files={
            "Makefile": "MODS := api web\ndefine ONE\npush-$(1):\n\tdocker build -t r/$(1):1 $(1)\n\tdocker push r/$(1):1\nendef\n"
            "$(foreach m,$(MODS),$(eval $(call ONE,$(m))))\npush: $(MODS:%=push-%)\n"
        },
    ),
    Form(
        "make-directories",
        "make",
        of("api", "web"),
        files={"Makefile": "D := $(patsubst %/Dockerfile,%,$(wildcard */Dockerfile))\nall:\n\t@for m in $(D); do \\\n\t" + EACH.replace("$", "$$").replace("\n", "; \\\n\t") + "; \\\n\tdone\n"},
        modules=("api", "web"),
    ),
    Form("make-without-its-rule", "make publish", (), unjudged="make publish is not followed: Makefile has no rule for publish", modules=(), files={"Makefile": "all:\n\ttrue\n"}),
]  # fmt: skip


@pytest.mark.parametrize("form", [*FORMS, *TOOLS, *STEPS, *FILES], ids=lambda form: form.name)
def test_form(form: Form, imgopt: Imgopt, tmp_path: Path) -> None:
    pipeline = look(form, imgopt, tmp_path)
    got = tuple(f"{push['dockerfile'] or '?'} -> {push['image']}" for push in pipeline["pushes"])
    assert got == form.pushes, pipeline
    if form.at_once:
        assert tuple(push["at_once"] for push in pipeline["pushes"]) == form.at_once
    if form.images is not None:
        assert pipeline["release"]["images"] == form.images
    told = [each["why"] for each in pipeline["unjudged"]]
    if form.unjudged is not None:
        assert any(form.unjudged in why for why in told), told
    else:
        assert not any("not followed" in why for why in told), told


def look(form: Form, imgopt: Imgopt, folder: Path) -> Any:
    """What `suggest` says of the file that is looked at."""
    (folder / ".git").mkdir()
    for module in form.modules:
        write(folder / module / "Dockerfile", DOCKERFILE)
    for name, text in form.files.items():
        write(folder / name, text)
    job = f"job:\n  script:\n    - |\n{textwrap.indent(form.script, '      ')}\n"
    if form.looked_at == ".gitlab-ci.yml":
        write(folder / ".gitlab-ci.yml", job)
    run = imgopt("suggest", folder / form.looked_at, "--format", "json")
    assert run.code == 0, run.err
    return run.json["files"][0]["pipeline"]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_directory_is_searched_for_scripts_that_push(imgopt: Imgopt, tmp_path: Path) -> None:
    write(tmp_path / "api" / "Dockerfile", DOCKERFILE)
    write(tmp_path / "web" / "Dockerfile", DOCKERFILE)
    write(tmp_path / "push.sh", SCRIPT.replace("/..", ""))
    write(tmp_path / "start.sh", "#!/bin/sh\nexec java -jar /app.jar\n")
    write(tmp_path / "Makefile", "test:\n\tmvn test # docker push is for others\n")
    run = imgopt("suggest", tmp_path, "--format", "json")
    told = {Path(file["path"]).name for file in run.json["files"]}
    assert told == {"Dockerfile", "push.sh"}


def test_a_script_that_pushes_nothing_says_so_where_it_is_named(imgopt: Imgopt, tmp_path: Path) -> None:
    write(tmp_path / "start.sh", "#!/bin/sh\nexec java -jar /app.jar\n")
    run = imgopt("suggest", tmp_path / "start.sh")
    assert run.code == 0
    assert "nothing in it builds or pushes an image" in run.text


def test_what_has_no_dockerfile_gets_no_all_clear(imgopt: Imgopt, tmp_path: Path) -> None:
    write(tmp_path / "push.sh", "mvn -B package jib:build\n")
    run = imgopt("suggest", tmp_path / "push.sh")
    assert "nothing" not in run.text
    assert json.dumps("Jib makes it from the build, without a Dockerfile")[1:-1] in " ".join(run.text.split())


def test_what_is_too_long_to_be_read_gets_no_all_clear(imgopt: Imgopt, tmp_path: Path) -> None:
    write(tmp_path / "push.sh", "docker push r/api:1\n" * 15_000)
    run = imgopt("suggest", tmp_path / "push.sh")
    assert "there is more in it than was looked at" in run.text
    assert "nothing in it" not in run.text
