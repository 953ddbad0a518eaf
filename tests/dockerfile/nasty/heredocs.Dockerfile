# syntax=docker/dockerfile:1
FROM alpine AS a
RUN <<EOF
FROM nothing
# not a comment \
RUN echo "\
EOF
RUN <<-EOF cat <<"two words" && cat <<'X' 3<<Y
	tabs go
		EOF is not yet
	EOF
first $HOME
two words
second
X
third EOF
Y
COPY --chmod=755 <<run.sh <<-conf /opt/
#!/bin/sh
exec java -jar "$1"
run.sh
	key=value
	conf
RUN cat <<<EOF
RUN cat<<EOF
RUN echo "not <<EOF one" '<<EOF' \<<EOF
RUN echo it's <<EOF
ADD <<EOF/../x /etc/y
EOF/../x
RUN python3 <<EOF >/dev/null && \
    # between the lines \
    echo $((1<<2)) <<E\ O\ F
print("a")
EOF
b \
E O F
ONBUILD RUN <<EOF sh
echo later
EOF
ONBUILD COPY --chown=1:1 <<A <<B /x/
a
A
b
B
RUN ["cat", "<<EOF"]
CMD cat <<EOF
RUN <<"EOF"
closed without a final newline
EOF