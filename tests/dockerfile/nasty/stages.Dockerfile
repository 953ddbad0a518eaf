FROM a AS b
FROM b
from B as c
FROM --platform=linux/arm64 c
FROM c as b
COPY --from=b /x /y
COPY --from=0 /x /y
