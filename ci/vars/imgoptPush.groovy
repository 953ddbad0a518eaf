/*
 * Pushes the images of several modules in one call: what they have in common is sent once where the registry mounts, one
 * image that fails does not stop the others, and a second try goes on where the first broke off.
 *
 *   imgoptPush targets: ['registry.example/team/orders:7', 'registry.example/team/billing:7']
 *
 * targets         where the images go, each with its tag (needed). orders.tar goes to …/orders:7, as imgoptGate with
 *                 push: false has left it; a map names other files: ['build/orders.tar': 'registry.example/team/orders:7']
 * imgoptContainer container of the pod that has imgopt; '' for none                    [imgopt]
 * lock            name of a lock: one push at a time over a slow link; '' for none     [registry]
 * tries           how often the call is made when something fails                      [3]
 */
def call(Map given) {
    Map defaults = [lock: 'registry', tries: 3, imgoptContainer: 'imgopt']
    Map settings = defaults + given
    for (String key in given.keySet()) {
        if (key != 'targets' && !defaults.containsKey(key)) {
            error "imgoptPush: there is no setting ${key}"
        }
    }
    if (!given.targets) {
        error 'imgoptPush: targets is missing: where the images go, each with its tag'
    }

    Map files = [:]
    if (given.targets instanceof Map) {
        for (key in given.targets.keySet()) {
            files[key.toString()] = given.targets[key].toString()
        }
    } else {
        for (each in given.targets) {
            String target = each.toString()
            String file = target.tokenize('/').last().tokenize(':')[0] + '.tar'
            if (files.containsKey(file)) {
                error "imgoptPush: ${files[file]} and ${target} would both be ${file}: name the files"
            }
            files[file] = target
        }
    }
    List lines = []
    for (String file in files.keySet()) {
        String line = "\"${file}\" \"${files[file]}\""
        if (line.count('"') != 4 || line.contains('\n')) {
            error "imgoptPush: a quote or a line end is in ${file} or ${files[file]}"
        }
        lines << line
    }

    // the list travels as an environment variable, so that no shell reads it
    withEnv(["IMGOPT_LIST=${lines.join('\n')}".toString()]) {
        inContainer(settings.imgoptContainer) {
            oneAtATime(settings.lock) {
                retry(settings.tries) {
                    sh(label: "push ${lines.size()} images",
                        script: 'printf \'%s\\n\' "$IMGOPT_LIST" | imgopt push --all -- -')
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
