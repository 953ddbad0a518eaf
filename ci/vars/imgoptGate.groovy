/*
 * Builds an image with kaniko into a tar, holds it against its budgets, and pushes what the registry lacks.
 *
 *   imgoptGate image: 'registry.example/team/orders', tag: env.BUILD_NUMBER, context: 'orders', maxSize: '200MB'
 *
 * image           where the image goes (needed), with its tag or without
 * tag             its tag                                                              [that of image, or latest]
 * name            what reports, the baseline and the tar (NAME.tar) call it: two images of a build that end with the same
 *                 name need one each                                                   [the last part of image]
 * context         directory of the build, below the workspace                          [.]
 * dockerfile      below the context                                                    [Dockerfile]
 * budgets         options of `imgopt gate`, e.g. [maxLayer: '80MB', forbid: 'jdk']; maxSize, maxNextPush, baseline and
 *                 the others may also stand beside it. None: what imgopt.toml says.
 * buildArgs       map of build arguments
 * kanikoContainer container of the pod that has /kaniko/executor; '' for none          [kaniko]
 * imgoptContainer container of the pod that has imgopt; '' for none                    [imgopt]
 * push            false: only build and judge; imgoptPush then pushes several images in one call  [true]
 * siblings        repositories of the same registry that may have layers of this image, such as the other modules': the
 *                 registry mounts what they have, and it is not sent again             [none]
 * lock            name of a lock: one push at a time over a slow link; '' for none     [registry]
 * buildLock       name of a lock: one kaniko at a time in one container, because two write into each other's images;
 *                 '' for none                                                          [of the agent]
 * tries           a push that breaks off goes on where it was                          [3]
 * executor        the executor                                                         [/kaniko/executor]
 */
@groovy.transform.Field
Map TARGETS = [:] // what each tar of this build is for: a build has one instance of this step

def call(Map given) {
    Map defaults = [
        tag: null, name: null, context: '.', dockerfile: 'Dockerfile', budgets: [:], buildArgs: [:], siblings: [], push: true, lock: 'registry',
        buildLock: "imgopt-kaniko-${env.NODE_NAME}".toString(), tries: 3, kanikoContainer: 'kaniko', imgoptContainer: 'imgopt', executor: '/kaniko/executor'
    ]
    Map gateOptions = [
        maxSize: '--max-size', maxUnpacked: '--max-unpacked', maxLayer: '--max-layer', maxLayers: '--max-layers',
        maxFirstPush: '--max-first-push', maxNextPush: '--max-next-push', maxBump: '--max-bump', maxWaste: '--max-waste',
        minEfficiency: '--min-efficiency', forbid: '--forbid', maxGrowth: '--max-growth', baseline: '--baseline',
        bandwidth: '--bandwidth'
    ]
    Map settings = defaults + given
    Map budgets = [:] + settings.budgets
    for (String key in given.keySet()) {
        if (gateOptions.containsKey(key)) {
            budgets[key] = given[key]
        } else if (key != 'image' && !defaults.containsKey(key)) {
            error "imgoptGate: there is no setting ${key}"
        }
    }
    if (!given.image) {
        error 'imgoptGate: image is missing: where the image goes'
    }

    String image = given.image.toString()
    String last = image.substring(image.lastIndexOf('/') + 1)
    if (last.contains('@')) {
        error "imgoptGate: ${image} has a digest, which an image has only once it is built: give a tag"
    }
    if (last.contains(':')) {
        if (given.tag) {
            error "imgoptGate: ${image} has a tag, and tag: '${given.tag}' is another one: give it once"
        }
        settings.tag = last.substring(last.indexOf(':') + 1)
        image = image.substring(0, image.lastIndexOf(':'))
        last = last.substring(0, last.indexOf(':'))
    }
    String name = settings.name ?: last
    if (!name || name.contains('/')) {
        error "imgoptGate: ${image} has no name, or one that is not a file's: ${name}"
    }
    String target = "${image}:${settings.tag ?: 'latest'}"
    if (TARGETS.get(name, target) != target) {
        error "imgoptGate: ${TARGETS[name]} and ${target} of this build would both be ${name}.tar: give one of them a name"
    }
    List environment = [
        "IMGOPT_TARGET=${target}",
        "IMGOPT_NAME=${name}",
        "IMGOPT_TAR=${name}.tar",
        "IMGOPT_CONTEXT=${settings.context}",
        "IMGOPT_DOCKERFILE=${settings.dockerfile}",
        "IMGOPT_EXECUTOR=${settings.executor}",
        // the maintained fork: unchanged layers and the base keep their digests
        'FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS=true'
    ]
    // values travel as environment variables, so that no shell reads them
    List arguments = []
    for (String key in settings.buildArgs.keySet()) {
        environment << "IMGOPT_ARG_${arguments.size()}=${key}=${settings.buildArgs[key]}"
        arguments << "--build-arg \"\$IMGOPT_ARG_${arguments.size()}\""
    }
    List options = []
    for (String key in budgets.keySet()) {
        if (!gateOptions.containsKey(key)) {
            error "imgoptGate: there is no budget ${key}"
        }
        environment << "IMGOPT_BUDGET_${options.size()}=${budgets[key]}"
        options << "${gateOptions[key]} \"\$IMGOPT_BUDGET_${options.size()}\""
    }
    List sources = []
    for (each in settings.siblings) {
        environment << "IMGOPT_SIBLING_${sources.size()}=${each}"
        sources << "--mount-from \"\$IMGOPT_SIBLING_${sources.size()}\" "
    }
    List settled = []
    for (each in environment) {
        settled << each.toString()
    }

    withEnv(settled) {
        oneAtATime(settings.buildLock) {
            inContainer(settings.kanikoContainer) {
                // what the stages of the build before handed on would get into this image
                sh(label: "build ${name}", script: 'rm -rf /kaniko/[0-9]* /kaniko/deps\n' +
                    '"$IMGOPT_EXECUTOR" --context "dir://$PWD/$IMGOPT_CONTEXT" ' +
                    '--dockerfile "$IMGOPT_DOCKERFILE" --reproducible --skip-unused-stages --cleanup ' +
                    '--no-push --tar-path "$PWD/$IMGOPT_TAR" --destination "$IMGOPT_TARGET" ' + arguments.join(' '))
            }
        }
        inContainer(settings.imgoptContainer) {
            int verdict = sh(label: "gate ${name}", returnStatus: true, script: 'imgopt gate --format junit ' +
                '--output-file "imgopt-$IMGOPT_NAME.xml" ' + options.join(' ') + ' -- "$IMGOPT_NAME=$IMGOPT_TAR"')
            junit(testResults: "imgopt-${name}.xml", allowEmptyResults: true)
            if (verdict == 1) {
                error "${name} is over its budget: see the test results of this build"
            }
            if (verdict != 0) {
                error "${name} could not be judged: imgopt gate ended with ${verdict}"
            }
            if (settings.push) {
                oneAtATime(settings.lock) {
                    retry(settings.tries) {
                        sh(label: "push ${name}", script: 'imgopt push ' + sources.join('') +
                            '-- "$IMGOPT_TAR" "$IMGOPT_TARGET"')
                    }
                }
            }
        }
    }
}

private void inContainer(String name, Closure body) {
    if (name) {
        container(name) { body() }
    } else {
        body()
    }
}

private void oneAtATime(String name, Closure body) {
    if (name) {
        lock(name) { body() }
    } else {
        body()
    }
}
