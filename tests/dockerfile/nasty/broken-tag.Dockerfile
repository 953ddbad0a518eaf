FROM alpine
RUN <<${X:-a b}
