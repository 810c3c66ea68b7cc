# Zuoxi itself; Asterisk has a stage of its own below (docker-compose.yml builds both).
FROM python:3.11-slim-bookworm AS zuoxi
WORKDIR /zuoxi
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps . && useradd --system --create-home --home-dir /var/lib/zuoxi zuoxi
USER zuoxi
ENV ZUOXI_VAR=/var/lib/zuoxi ZUOXI_HTTP_BIND=0.0.0.0:8000
EXPOSE 8000
CMD ["zuoxi", "run"]

FROM debian:forky-slim AS asterisk
RUN apt-get update \
 && apt-get install -y --no-install-recommends asterisk asterisk-moh-opsound-gsm \
 && rm -rf /var/lib/apt/lists/* /etc/asterisk
COPY asterisk_conf /etc/asterisk
# The product (another user) renders queues, hotlines and seats here and reads queue_log there.
RUN mkdir -p /etc/asterisk/zuoxi && chown -R asterisk:asterisk /etc/asterisk /var/log/asterisk
CMD ["asterisk", "-f", "-n", "-U", "asterisk"]
