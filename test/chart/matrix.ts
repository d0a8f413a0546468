/** Values that together take every branch of the templates. */
export const MATRIX: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  nothing: {},
  'redis of the chart': { replicaCount: 2, redis: { enabled: true } },
  'redis with a volume': {
    redis: {
      enabled: true,
      existingSecret: 'mine',
      persistence: { enabled: true, storageClass: 'fast', size: '2Gi' },
    },
  },
  'a log on disk': {
    persistence: { enabled: true, size: '100Gi', storageClass: 'fast', accessModes: ['ReadWriteOncePod'] },
    podDisruptionBudget: { enabled: true },
  },
  'a log on a disk of mine, with tls': {
    persistence: { enabled: true, existingClaim: 'mine' },
    settings: { SLUICE_DATA_BYTES: '4GiB', SLUICE_SYNC: '1s' },
    tls: { existingSecret: 'tls' },
    extraVolumes: [{ name: 'more', emptyDir: {} }],
    extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
  },
  'redis by url': { replicaCount: 3, settings: { REDIS_URL: 'redis://redis:6379' } },
  'redis by reference': {
    replicaCount: 3,
    settings: { REDIS_URL: { secretKeyRef: { name: 'mine', key: 'url' } } },
  },
  'secrets of the chart': {
    replicaCount: 3,
    secrets: { values: { REDIS_URL: 'redis://:secret@redis:6379', SLUICE_PUBLISH_KEYS: 'one,two' } },
  },
  'secrets of mine': {
    replicaCount: 3,
    secrets: { existingSecret: 'mine', keys: ['REDIS_URL', 'SLUICE_PUBLISH_KEYS'] },
  },
  'keys from a file': {
    settings: { SLUICE_PUBLISH_KEYS_FILE: '/keys/publish' },
    extraVolumes: [{ name: 'keys', secret: { secretName: 'keys' } }],
    extraVolumeMounts: [{ name: 'keys', mountPath: '/keys', readOnly: true }],
  },
  tls: {
    tls: { existingSecret: 'tls' },
    settings: { REDIS_URL: 'rediss://redis:6379' },
    redisTls: { existingSecret: 'redis-tls', clientCertificate: true },
  },
  ingress: {
    settings: { SLUICE_MAX_BODY_BYTES: 3000000 },
    ingress: {
      enabled: true,
      className: 'nginx',
      controller: 'nginx',
      annotations: { 'nginx.ingress.kubernetes.io/proxy-read-timeout': '7200' },
      hosts: ['events.example.com', 'events.example.org'],
      tls: [{ secretName: 'certificate', hosts: ['events.example.com'] }],
    },
  },
  ...Object.fromEntries(
    ['', 'nginx.org', 'haproxy.org', 'alb'].map((controller) => [
      `ingress of ${controller === '' ? 'another controller' : controller}`,
      { ingress: { enabled: true, controller, hosts: ['events.example.com'] } },
    ]),
  ),
  route: {
    httpRoute: {
      enabled: true,
      annotations: { a: 'b' },
      parentRefs: [{ name: 'gateway', namespace: 'gateways', sectionName: 'https' }],
      hostnames: ['events.example.com'],
    },
  },
  autoscaling: { redis: { enabled: true }, autoscaling: { enabled: true, connections: 20000000, cpu: 70 } },
  monitoring: {
    metrics: {
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
      prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
      dashboard: { enabled: true },
    },
  },
  'closed in': {
    redis: { enabled: true },
    networkPolicy: {
      from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
      metricsFrom: [],
      egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: [{ port: 6379 }] }],
    },
  },
  'less of everything': {
    networkPolicy: { enabled: false },
    podDisruptionBudget: { enabled: false },
    serviceAccount: { create: false },
    topologySpread: { host: '', zone: '' },
    preStopSeconds: 0,
    resources: {},
  },
  'more of everything': {
    nameOverride: 'events',
    fullnameOverride: 'live',
    image: {
      repository: 'registry.example.com/sluice',
      digest: `sha256:${'0a'.repeat(32)}`,
      pullSecrets: [{ name: 'pull' }],
    },
    settings: { PORT: 8080, SLUICE_ADMIN_PORT: 8081, SLUICE_DRAIN_WINDOW: '15m' },
    redis: { enabled: true },
    podDisruptionBudget: { maxUnavailable: '25%' },
    service: { type: 'LoadBalancer', port: 443, annotations: { a: 'b' } },
    serviceAccount: { name: 'robot', annotations: { a: 'b' } },
    topologySpread: { host: 'DoNotSchedule' },
    extraEnv: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4318' }],
    podAnnotations: { a: 'b' },
    podLabels: { team: 'live' },
    priorityClassName: 'high',
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'edge', operator: 'Exists' }],
    affinity: { podAntiAffinity: {} },
  },
};
