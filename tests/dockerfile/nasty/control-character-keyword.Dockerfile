FROM alpine
RUN a
