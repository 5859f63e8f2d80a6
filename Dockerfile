# One image for every process; the command says which:
#   python -m refresher.scheduler
#   python -m refresher.worker --processes 1 --threads 8
#   python -m refresher.web
#   refresher migrate                 (before each deploy)

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml constraints.txt LICENSE README.md ./
COPY migrations migrations
COPY refresher refresher
RUN python -m venv /app && /app/bin/pip install -c constraints.txt .

FROM python:3.13-slim
# A number, not a name: platforms that demand a non-root user cannot look names up.
# The folder is for what neither PostgreSQL nor Redis could take: mount a volume there.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin refresher \
    && install --directory --owner=10001 --mode=0700 /var/lib/refresher
COPY --from=build /app /app
# Reached from outside the container, over IPv4 and IPv6, and reaching nothing inside it. What lies in the
# working directory is never imported.
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 PORT=8080 \
    REFRESHER_HOST=:: REFRESHER_ALLOW_INSECURE_HOSTS=none REFRESHER_DATA_DIRECTORY=/var/lib/refresher
# Root's, so that the process cannot put a module there.
WORKDIR /app
USER 10001
EXPOSE 8080
# Each process finishes the refreshes in its hands when it is asked to stop; give it 40 s.
STOPSIGNAL SIGTERM
# /health answers 500 when the process should be restarted; PORT=0 means that it does not serve it.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; p = os.environ['PORT']; p == '0' or r.urlopen(f'http://localhost:{p}/health', timeout=4)"]
CMD ["python", "-m", "refresher.scheduler"]
