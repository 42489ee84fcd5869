# The bot in a container: docker build -t bot . && docker run --env-file .env -v bot-data:/data bot
# Not a root user's process; everything it keeps is in /data.
FROM python:3.11.14-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    DATA_DIR=/data \
    PLUGINS_DIR=/plugins \
    PORT=8080

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin bot \
    && install --directory --owner=bot --group=bot --mode=0700 /data \
    && install --directory --mode=0755 /plugins  # plugins of your own: mount a folder there

WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY bot.py ./
COPY core ./core
COPY kie ./kie
COPY plugins ./plugins
COPY storage ./storage
COPY tools ./tools
COPY data ./data
# What each start would read anew, which the bot cannot write here
RUN python -m compileall -q . && python bot.py plugins >/dev/null && python bot.py texts check >/dev/null

USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# 200 while it works or stands by, 503 when it cannot serve: then urlopen raises, and the check fails
HEALTHCHECK --interval=30s --timeout=6s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=5)"]
CMD ["python", "bot.py"]
