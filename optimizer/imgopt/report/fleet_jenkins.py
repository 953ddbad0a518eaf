"""A Jenkinsfile for the images of a fleet: each is built in a pod of its own, and one call pushes what all of them lack."""

from __future__ import annotations

from collections.abc import Sequence

from imgopt.fleet.images import Image
from imgopt.fleet.modules import Repository
from imgopt.fleet.since import matrix_entry
from imgopt.light.patterns import regex

#: What stands in a line of a push list as one word.
_REPOSITORY = regex(r"[a-z0-9][a-z0-9._-]{0,200}")
_HEAD = """\
// Written by imgopt fleet --emit jenkins: each image is built in a pod of its own, and one call pushes what the registry lacks.
// It needs the plugins Kubernetes and Pipeline. Yours to set: REGISTRY, the images of the containers (imgopt's is built from its
// ci/Dockerfile), and the secret with the registry's login.
"""
_BODY = """
def buildPod = '''
    apiVersion: v1
    kind: Pod
    spec:
      containers:
      - name: build
        image: maven:3.9.11-eclipse-temurin-21
        command: [sleep, "99d"]
      - name: kaniko
        image: ghcr.io/osscontainertools/kaniko:v1.28.5-debug
        command: [sleep, "99d"]
'''
def pushPod = '''
    apiVersion: v1
    kind: Pod
    spec:
      containers:
      - name: imgopt
        image: registry.example/ci/imgopt:0.1.0
        command: [sleep, "99d"]
        env:
        - name: DOCKER_CONFIG
          value: /docker
        volumeMounts:
        - name: registry-login
          mountPath: /docker
      volumes:
      - name: registry-login
        secret:
          secretName: registry-login
          items:
          - key: .dockerconfigjson
            path: config.json
'''

pipeline {
    agent none
    environment {
        REGISTRY = 'registry.example/team'
    }
    options {
        timeout(time: 2, unit: 'HOURS')
    }
    stages {
        stage('Images') {
            when {
                expression { !images.isEmpty() }
            }
            steps {
                script {
                    parallel images.collectEntries { image ->
                        [image.name, {
                            podTemplate(yaml: buildPod) {
                                node(POD_LABEL) {
                                    checkout scm
                                    // values go by the environment: no shell and no Groovy reads them as its own
                                    withEnv([
                                        "NAME=${image.name}", "MODULE=${image.module}", "DOCKERFILE=${image.dockerfile}",
                                        "CONTEXT=${image.context}", "TARGET=${image.target}", "BUILD_ARGS=${image.args}",
                                        "TOOL=${image.tool}"
                                    ]) {
                                        container('build') {
                                            sh '''
                                                if [ "$TOOL" = gradle ]; then
                                                  sh gradlew --no-daemon -p "$MODULE" bootJar
                                                elif [ -f mvnw ]; then
                                                  sh mvnw --batch-mode -DskipTests -pl "$MODULE" -am package
                                                else
                                                  mvn --batch-mode -DskipTests -pl "$MODULE" -am package
                                                fi
                                            '''
                                        }
                                        container('kaniko') {
                                            sh '''
                                                mkdir -p images
                                                set -f -- --context "dir://$WORKSPACE/$CONTEXT" \\
                                                  --dockerfile "$WORKSPACE/$DOCKERFILE" --destination fleet/image:latest \\
                                                  --no-push --tar-path "$WORKSPACE/images/$NAME.tar" --reproducible
                                                if [ -n "$TARGET" ]; then set -- "$@" --target "$TARGET"; fi
                                                IFS=$(printf '\\\\n_'); IFS=${IFS%_}
                                                for each in $BUILD_ARGS; do set -- "$@" --build-arg "$each"; done
                                                /kaniko/executor "$@"
                                            '''
                                        }
                                    }
                                    stash(name: image.name, includes: "images/${image.name}.tar")
                                }
                            }
                        }]
                    }
                }
            }
        }
        stage('Push') {
            when {
                expression { !images.isEmpty() }
            }
            steps {
                script {
                    podTemplate(yaml: pushPod) {
                        node(POD_LABEL) {
                            images.each { image -> unstash(image.name) }
                            writeFile(
                                file: 'images.txt',
                                text: images.collect { image ->
                                    "images/${image.name}.tar ${env.REGISTRY}/${image.repository}:${env.BUILD_NUMBER}\\n"
                                }.join('')
                            )
                            container('imgopt') {
                                sh 'imgopt push --all images.txt'
                            }
                        }
                    }
                }
            }
        }
    }
}
"""


def jenkinsfile(images: Sequence[Image], repository: Repository, names: Sequence[str]) -> bytes:
    """For the checkout that the fleet is in; ``names``: of the images, each once. Nothing to build is a pipeline that skips its stages."""
    rows = [_row(name, image, repository) for name, image in zip(names, images, strict=True)]
    listed = "def images = [\n" + ",\n".join(rows) + "\n]\n" if rows else "def images = []\n"
    return (_HEAD + listed + _BODY).encode()


def _row(name: str, image: Image, repository: Repository) -> str:
    entry = matrix_entry(image, repository.root)
    called = entry["image"].rpartition("/")[2].lower()
    values = {
        "name": name,
        "tool": image.module.tool,
        "module": image.module.directory,
        "dockerfile": entry["dockerfile"],
        "context": entry["context"],
        "target": entry["target"],
        "args": entry["build-args"],
        "repository": called if _REPOSITORY.fullmatch(called) else name.lower(),
    }
    return "    [" + ", ".join(f"{key}: {_string(value)}" for key, value in values.items()) + "]"


def _string(text: str) -> str:
    """A string of Groovy, in which nothing is filled in."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"
