FROM alpine
RUN <<"	EOF"
	EOF
RUN <<-"	EOF"
	EOF
