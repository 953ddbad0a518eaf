FROM alpine
# café ÿ
LABEL a="é" b=Ã
CMD ["é"]
RUN <<é
éé
é
