FROM alpine
RUN a \
\
# no comment
ENV A=b
