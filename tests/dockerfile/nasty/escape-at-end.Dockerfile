FROM a
ENV A=b\\\
LABEL c="d\\\
ARG e \\\
ARG \\\
ENV f=g h="i\"\\\ 
