FROM alpine
RUN echo  x \ 	 
  　# comment

 && y
COPY a b c d /
ENV A=1 B=2
LABEL   "x"=y  
RUN x\
RUN y\

Z
USER   u 　
