arg BASE=eclipse-temurin VERSION="17" EMPTY= NONE 'q u'=o\ t"e d"
From --platform=$BUILDPLATFORM ${BASE}:${VERSION:-21}-jre As Run-Time_1.0
RUN
CMD
ENTRYPOINT []
CMD [ ]
COPY ["a b.jar" , "c,d", "e\"f\u00e9\\", "/x y/"]
COPY ["not", json, "/x"]
COPY [a b] /c
ADD --chown="a b":c --link --checksum='sha256:0 1' --empty= --x\ y=z\"q http://h/[x].tar /
ADD -- --link /
ADD --link
RUN --mount=type=cache,target=/root/.m2 --network="no"ne --security=insecure mvn -q --batch package
RUN -- mount
RUN - -x
WORKDIR   /a b/$C   	
USER "nobody":nogroup
EXPOSE 80/tcp  8080-8090/udp ${PORT:-443}
VOLUME ["/data", "/l o g"]
VOLUME /data /logs [x]
STOPSIGNAL SIGTERM
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
LABEL a=b "c d"='e f' g.h="i \
j" k=l\
m
LABEL old value with  two   blanks
LABEL x=
ENV JAVA_OPTS -Xmx1g  -Da="b c"
ENV A=b\ c D="e \" f" G='h \' I=j"k l"'m n' O=p=q
ENV P=\\ Q=\" R=
MAINTAINER Some One <one@example.org>
HEALTHCHECK NONE
HEALTHCHECK --interval=5s --timeout=3s CMD curl -f http://localhost/ || exit 1
HEALTHCHECK CMD ["wget", "-q", "http://localhost/"]
HEALTHCHECK   --retries=2   cmd   [ "x" ]
ONBUILD ENV A=b C="d e"
onbuild   RUN --mount=type=ssh ["a", "b"]
ONBUILD healthcheck CMD x
ONBUILD
ENV
ARG
LABEL
EXPOSE
FROM scratch
