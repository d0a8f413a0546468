# One base for both stages, so that what npm installs and what runs it cannot differ. The slim Debian image of the
# official node: it carries libatomic1, which Node 26 needs and distroless images lack, and its security updates come
# with a rebuild.
#
# By its tag here, so that a rebuild has the updates; the release names it by the digest that the tag has then:
# NODE_IMAGE=node:26-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:26-bookworm-slim

FROM ${NODE_IMAGE} AS modules
WORKDIR /app
# Before the sources, so that a change of those does not install everything again. npm runs scripts/ after an install.
COPY package.json package-lock.json .npmrc ./
COPY scripts scripts
# Without optional packages: they bring a Node, and this image has its own. npm's cache and npm's leavings stay in this stage.
# What editors and debuggers read, and Node does not, goes: two fifths of it all.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM ${NODE_IMAGE}
ARG NODE_IMAGE
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="A Server-Sent-Events broker" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${NODE_IMAGE}"
ENV NODE_ENV=production
WORKDIR /app
# Everything belongs to root and nothing is written: the broker keeps no file, so the root filesystem can be read-only.
COPY --from=modules /app/node_modules node_modules
COPY package.json LICENSE ./
COPY src src
# The image's own user without rights, by number, so that an orchestrator can see that it is not root.
USER 1000:1000
EXPOSE 3000
# Asks /livez, by a program instead of a shell and curl. Liveness says nothing about Redis: restarting a broker does not
# bring a Redis back, and would cut every stream for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["node", "src/main.ts", "healthcheck"]
# Without a shell or npm in between: SIGTERM reaches the broker, which drains. Give it longer than SLUICE_DRAIN_WINDOW
# (10 s) before it is killed, with docker run --stop-timeout 20. SIGUSR1 never opens Node's debugger.
CMD ["node", "--disable-sigusr1", "src/main.ts"]
