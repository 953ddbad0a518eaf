// parse FILE...: parses to the conversion phase; for each file a line "file", then its string constants in base64.
// run FILE KEY=VALUE... [+ KEY=VALUE...]: calls the step of a shared library with these settings, and once more with those
// behind each +; Jenkins' own steps are stood in for, because there is no Jenkins here: `sh` runs a real shell, the others
// are printed.
// pipeline JENKINSFILE STEP KEY=VALUE...: runs a declarative pipeline that calls the step, with these settings beside its
// own. What Jenkins runs at the same time runs one after the other here, each in the printed lines of its branch.
import org.codehaus.groovy.ast.CodeVisitorSupport
import org.codehaus.groovy.ast.expr.ConstantExpression
import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.Phases

@groovy.transform.Field Map ENV = [BUILD_NUMBER: '7', NODE_NAME: 'pod-1']

def parse(String path) {
    def unit = new CompilationUnit(new CompilerConfiguration())
    def source = unit.addSource(new File(path))
    unit.compile(Phases.CONVERSION)
    println "file\t${path}"
    def strings = new CodeVisitorSupport() {
        void visitConstantExpression(ConstantExpression each) {
            if (each.value instanceof String) {
                println 'string\t' + each.value.bytes.encodeBase64()
            }
        }
        // a string with expressions in it has pieces of constants, which are none themselves
        void visitGStringExpression(org.codehaus.groovy.ast.expr.GStringExpression each) {
            each.values.each { it.visit(this) }
        }
    }
    source.AST.statementBlock.visit(strings)
    source.AST.methods.each { it.code?.visit(strings) }
}

def settingsOf(List<String> pairs) {
    pairs.collectEntries { pair ->
        def (key, value) = pair.split('=', 2) as List
        if (value.startsWith('{')) {
            value = value[1..-2].split(';').collectEntries { it.split(':', 2) as List }
        } else if (value.startsWith('[')) {
            value = value[1..-2].split(';') as List
        }
        [key, value == 'false' ? false : value]
    }
}

def run(String path, List<String> pairs) {
    def script = new GroovyShell().parse(new File(path))
    standIn(script)
    def calls = [[]]
    pairs.each { it == '+' ? calls << [] : calls.last().add(it) }
    told { calls.each { script.call(settingsOf(it)) } }
}

def pipeline(String path, String stepPath, List<String> pairs) {
    def step = new GroovyShell().parse(new File(stepPath))
    standIn(step)
    def push = new GroovyShell().parse(new File(new File(stepPath).parentFile, 'imgoptPush.groovy'))
    standIn(push)
    // the annotation that names the library is Jenkins' own
    def script = new GroovyShell().parse(new File(path).text.replace("@Library('imgopt') _", ''))
    script.metaClass.getEnv = { -> ENV }
    script.metaClass.imgoptGate = { Map given -> step.call(given + settingsOf(pairs)) }
    script.metaClass.imgoptPush = { Map given -> push.call(given) }
    script.metaClass.parallel = { Map branches ->
        branches.each { name, body -> println "branch\t${name}"; body() }
    }
    script.metaClass.sh = { Object given -> }
    script.metaClass.methodMissing = { String name, Object given ->
        def body = given ? given[-1] : null
        if (body instanceof Closure) {
            body()
        }
    }
    told { script.run() }
}

def told(Closure body) {
    try {
        body()
        println 'done'
    } catch (IllegalArgumentException said) {
        println "error\t${said.message}"
    }
}

def standIn(Script script) {
    def environment = [:]
    script.metaClass.getEnv = { -> ENV }
    script.metaClass.sh = { Map given ->
        println "sh\t${given.label}"
        def builder = new ProcessBuilder('sh', '-ec', given.script as String).inheritIO()
        builder.environment().putAll(environment)
        def code = builder.start().waitFor()
        if (given.returnStatus) {
            return code
        }
        if (code) {
            throw new IllegalStateException("script returned exit code ${code}")
        }
    }
    script.metaClass.withEnv = { List values, Closure body ->
        values.each { String value -> environment.putAll([(value.split('=', 2)[0]): value.split('=', 2)[1]]) }
        body()
    }
    script.metaClass.container = { String name, Closure body -> println "container\t${name}"; body() }
    script.metaClass.lock = { String name, Closure body -> println "lock\t${name}"; body(); println "unlock\t${name}" }
    script.metaClass.junit = { Map given -> println "junit\t${given.testResults}" }
    script.metaClass.error = { Object message -> throw new IllegalArgumentException(message.toString()) }
    script.metaClass.retry = { Object times, Closure body ->
        int left = times as int
        while (true) {
            try {
                return body()
            } catch (IllegalStateException failed) {
                println "failed\t${failed.message}"
                if (--left == 0) {
                    throw failed
                }
            }
        }
    }
}

if (args[0] == 'parse') {
    args.drop(1).each { parse(it) }
} else if (args[0] == 'pipeline') {
    pipeline(args[1], args[2], args.drop(3) as List)
} else {
    run(args[1], args.drop(2) as List)
}
