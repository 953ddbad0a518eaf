# A comment ends the directives.
# escape=`
FROM alpine
RUN a \
    b
RUN c `
