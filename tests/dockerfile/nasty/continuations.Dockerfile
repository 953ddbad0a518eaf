# A comment that ends in a backslash continues nothing \
FROM alpine \
  AS \
  first

   run echo one \
# a comment in between \
    # an indented one, with a backslash \

	
    && echo two \   
    && echo three\
four \
        && echo 'five \\' \\\
six
RUN echo doubled \\
RUN \
  # nothing but comments
  
  true
R\
UN echo split keyword
\
RUN echo lone continuation above
\
  \
   # and a comment

  RUN echo again
ENV A=1 \
    B="two \
words" \
    C=three\ words
COPY a \
     b \

     /c/
CMD ["java", \
     # how much memory
     "-Xmx1g", \
     "-jar", "/app.jar"]
RUN echo end \
# of file \
