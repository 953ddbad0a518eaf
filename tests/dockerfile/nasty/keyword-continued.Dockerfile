FROM alpine
RUN\