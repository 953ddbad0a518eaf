FROM a
COPY --from=jürgen --x="ü ß"=日 --y é /
RUN --a é --b
RUN --é
