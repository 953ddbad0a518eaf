FROM alpine
CMD ["a", 1e999]
CMD [NaN]
CMD ["\x"]
CMD ["	"]
CMD ["a",]
CMD ["a" "b"]
CMD ["\ud83d\ude00\ud800"]
CMD {"a":"b"}
CMD [
CMD "a"
RUN  ["a"]
CMD [  "a"	,"b"  ]  
