   #	Syntax =  docker/dockerfile:1.7-labs   
#escape=\
# escape=` is a comment here, because this is no directive
FROM alpine
RUN a \
    b
# escape=`
RUN a `
