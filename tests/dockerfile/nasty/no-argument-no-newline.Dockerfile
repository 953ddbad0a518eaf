FROM alpine
RUN