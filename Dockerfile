# One image for every process; the command selects it: worker, callbacks, sandbox, check, ...
FROM python:3.12.12-slim-trixie AS build
RUN python -m venv /opt/satyapan
ENV PATH=/opt/satyapan/bin:$PATH
WORKDIR /src
# The dependencies first, for the cache: they change less often than the code.
COPY requirements-run.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-run.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation ./satyapan .

FROM python:3.12.12-slim-trixie
ENV PATH=/opt/satyapan/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/satyapan /opt/satyapan
RUN useradd --system --uid 10001 --no-create-home satyapan
USER satyapan
ENTRYPOINT ["satyapan"]
CMD ["--help"]
