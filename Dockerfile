# The mock as a container: `docker build --tag novita-mock .`, then `docker run --publish 4280:4280 novita-mock`.
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels '.[metrics]'

FROM python:3.13-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*
USER 65534:65534
WORKDIR /tmp
ENV NOVITA_MOCK_HOST=0.0.0.0 NOVITA_MOCK_PORT=4280
EXPOSE 4280
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['NOVITA_MOCK_PORT']}/__mock/health\", timeout=2)"]
ENTRYPOINT ["novita-mock"]
