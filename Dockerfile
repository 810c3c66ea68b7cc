# Zuoxi itself; Asterisk has a stage of its own below (docker-compose.yml builds both).
FROM python:3.11-slim-bookworm AS zuoxi
WORKDIR /zuoxi
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
# Named one by one: a .env with secrets and the laboratory's folders are no part of an image.
COPY pyproject.toml README.md LICENSE zuoxi.py ./
COPY crm_core crm_core
COPY telephony telephony
COPY routing routing
COPY agent_ui agent_ui
RUN pip install --no-cache-dir --no-deps .
# The same group number in both images: Zuoxi writes what Asterisk reads, and reads its queue_log.
RUN groupadd --gid 5038 zuoxi-files \
 && useradd --system --create-home --home-dir /var/lib/zuoxi --groups zuoxi-files zuoxi \
 && mkdir -p /etc/asterisk/zuoxi && chgrp zuoxi-files /etc/asterisk/zuoxi && chmod 2775 /etc/asterisk/zuoxi
USER zuoxi
WORKDIR /var/lib/zuoxi
ENV ZUOXI_VAR=/var/lib/zuoxi
CMD ["zuoxi", "run"]

FROM debian:forky-slim AS asterisk
RUN apt-get update \
 && apt-get install -y --no-install-recommends asterisk asterisk-moh-opsound-gsm \
 && rm -rf /var/lib/apt/lists/* /etc/asterisk \
 && groupadd --gid 5038 zuoxi-files && usermod --append --groups zuoxi-files asterisk
COPY asterisk_conf /etc/asterisk
RUN mkdir -p /etc/asterisk/zuoxi /etc/asterisk/zuoxi-site
ENTRYPOINT ["/etc/asterisk/docker-entrypoint.sh"]
CMD ["asterisk", "-f", "-n", "-U", "asterisk"]
