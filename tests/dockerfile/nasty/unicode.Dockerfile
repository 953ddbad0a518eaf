ARG A

ARG B=$A C
FROM a
ARG A
RUN --mount=type=bind,from=b,target=/x é --y=é
# café
ENV K=日本
