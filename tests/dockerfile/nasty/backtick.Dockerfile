# escape=`
# syntax=docker/dockerfile:1

FROM mcr.microsoft.com/windows/servercore:ltsc2022 AS win
SHELL ["powershell", "-Command"]
RUN Write-Host a; `
    # comment `
    Write-Host C:\b\; `

    Write-Host c
WORKDIR C:\app\
COPY target\app.jar C:\app\
COPY a b\
ENV A=C:\x B="D:\y z" C=e` f D="g`"h" E='i`' F=`$X
RUN echo a``
RUN echo b ` 
    && echo c
RUN <<EOF
body `
EOF
CMD java -jar C:\app\app.jar
