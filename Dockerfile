# Both stages use one base image, so that the packages fit the Node that runs them. It is the official slim Debian image:
# it has libatomic1, which Node 26 needs and distroless images lack.
#
# The image is named by its tag, so that a rebuild gets security updates. A release names it by the digest of that day:
# NODE_IMAGE=node:26-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:26-bookworm-slim

FROM ${NODE_IMAGE} AS modules
WORKDIR /app
# Copied before the sources, so that a change of the sources does not reinstall the packages. npm runs scripts/ after an
# install. The client is a workspace: npm wants its package.json.
COPY package.json package-lock.json .npmrc ./
COPY client/package.json client/
COPY scripts scripts
# Leaves out optional packages, which hold another Node. npm's cache stays in this stage.
# Removes files that only editors and debuggers read: two fifths of all.
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
# All files belong to root. The broker writes files only to SLUICE_DATA_DIR, so the root filesystem can be read-only.
COPY --from=modules /app/node_modules node_modules
COPY package.json LICENSE ./
COPY client/package.json client/
COPY client/src client/src
COPY src src
# For a volume with the log: SLUICE_DATA_DIR=/data. A new volume takes over this owner. There is no VOLUME, because every
# container without a log on disk would get an empty one.
RUN install -d -o 1000 -g 1000 /data
# The image's unprivileged user, by number, so that an orchestrator can see that it is not root.
USER 1000:1000
EXPOSE 3000
# Asks /livez without a shell or curl. Liveness does not depend on Redis: restarting the broker would not repair Redis, and
# would cut every stream.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["node", "src/main.ts", "healthcheck"]
# The image is the program `sluice`: `docker run sluice publish …` runs a command, and without arguments the broker starts.
# No shell or npm is in between, so that SIGTERM reaches the broker and it drains. Allow more time than SLUICE_DRAIN_WINDOW
# (10 s) before the container is killed: docker run --stop-timeout 20. --disable-sigusr1 keeps SIGUSR1 from opening Node's
# debugger.
ENTRYPOINT ["node", "--disable-sigusr1", "src/main.ts"]
CMD ["serve"]
