import re, zipfile
RUNTIME={"17":"eclipse-temurin:17-jre-alpine"}
def rewrite(text, jar, spring_boot, jdk, jre, name="app.jar"):
    lines=text.split("\n")
    src=[l for l in lines if re.match(r"(COPY|ADD) .*jar",l, re.I)and'--from' not in l or l.startswith("COPY ${JAR")][0]
    _,frm,to=src.split()
    if spring_boot<"2.3": mode="thin"
    elif spring_boot<"2.4": mode="path"
    elif spring_boot<"3.3": mode="layertools"
    else: mode="tools"
    L="dependencies spring-boot-loader snapshot-dependencies application"
    loops=f"""for layer in {L}; do mkdir -p /out/$layer && mv layers/$layer /out/$layer/application; done \\
 && find /out/dependencies /out/spring-boot-loader /out/snapshot-dependencies -exec touch -h -d @318211200 {{}} +"""
    point="""{ echo 'Class-Path: /application/'; cat /out/application/application/META-INF/MANIFEST.MF; } > MANIFEST.MF && jar cfm start.jar MANIFEST.MF"""
    bypath="""mkdir -p layers/dependencies layers/spring-boot-loader layers/snapshot-dependencies layers/application raw \\
 && (cd raw && jar xf ../app.jar) \\
 && mkdir -p layers/dependencies/BOOT-INF/lib layers/snapshot-dependencies/BOOT-INF/lib \\
 && (find raw/BOOT-INF/lib -name '*-SNAPSHOT*.jar' -exec mv {} layers/snapshot-dependencies/BOOT-INF/lib/ \\; ) \\
 && mv raw/BOOT-INF/lib/*.jar layers/dependencies/BOOT-INF/lib/ && rmdir raw/BOOT-INF/lib \\
 && (cd raw && find org -type d -exec mkdir -p ../layers/spring-boot-loader/{} \\; && find org -type f -exec mv {} ../layers/spring-boot-loader/{} \\; && rm -r org) \\
 && mv raw/* layers/application/"""
    if mode=="tools": ex="java -Djarmode=tools -jar app.jar extract --layers --launcher --destination layers"
    elif mode=="layertools": ex="java -Djarmode=layertools -jar app.jar extract --destination layers"
    else: ex=bypath
    if spring_boot in("2.4.1",): ex+=""" \\\n && sed -i 's#^- "\\([^/]*\\)"#- "BOOT-INF/lib/\\1"#' layers/application/BOOT-INF/classpath.idx"""
    if mode=="thin":
        ex+=""" \\
 && M=layers/application/META-INF/MANIFEST.MF \\
 && { tr -d '\\r' < $M | grep -v -e '^Main-Class:' -e '^$'; tr -d '\\r' < $M | sed -n 's/^Start-Class/Main-Class/p'; echo 'Class-Path: '; jar tf app.jar | sed -n 's#^BOOT-INF/lib/.*[.]jar$#  /application/&#p'; } > MANIFEST.MF \\
 && jar cfm start.jar MANIFEST.MF -C layers/application/BOOT-INF/classes . && rm -r layers/application/BOOT-INF/classes"""
        point="true"
    head=f"""FROM {jdk} AS extract
WORKDIR /extract
COPY {'target/app.jar' if '$' in frm else frm} app.jar
RUN {ex} \\
 && {loops} \\
 && {point}
FROM {jre}
COPY --from=extract /out/dependencies/ /
COPY --from=extract /out/spring-boot-loader/ /
COPY --from=extract /out/snapshot-dependencies/ /
COPY --from=extract /out/application/ /
"""
    rest=[]
    for l in lines[1:]:
        rest.append(f"COPY --from=extract /extract/start.jar {to}" if l==src else l)
    return head+"\n".join(rest)
