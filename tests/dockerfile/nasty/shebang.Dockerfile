#!/usr/bin/env -S docker build . --file
# escape=`
FROM alpine
RUN a \
    b
