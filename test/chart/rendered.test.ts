import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import { FILE_SETTINGS, SETTINGS } from '../../src/config/settings.ts';
import { helm, lint, render } from '../support/helm.ts';
import type { Manifest } from '../support/helm.ts';
import { startKubernetesApi } from '../support/kubernetes-api.ts';
import { unknownFields, validate } from '../support/kubernetes-kinds.ts';
import { MATRIX } from './matrix.ts';

interface Container {
  readonly name: string;
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: object;
}
interface PodSpec {
  readonly containers: readonly [Container];
  readonly securityContext: object;
  readonly [field: string]: unknown;
}
type Template = Readonly<
  Record<'template', { readonly metadata: Manifest['metadata']; readonly spec: PodSpec }>
>;

const named = (manifests: readonly Manifest[], kind: string, end = ''): Manifest => {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name.endsWith(end));
  if (found === undefined) throw new Error(`There is no ${kind} that ends in "${end}".`);
  return found;
};
const pod = (manifest: Manifest): PodSpec =>
  manifest.kind === 'Pod' ? (manifest.spec as PodSpec) : (manifest.spec as unknown as Template).template.spec;
const variables = (manifests: readonly Manifest[]): Record<string, string | undefined> => {
  const [{ env }] = pod(named(manifests, 'Deployment')).containers;
  expect(new Set(env.map(({ name }) => name)).size, 'a variable is set twice').toBe(env.length);
  return Object.fromEntries(env.map(({ name, value }) => [name, value]));
};

const ON_DISK = { persistence: { enabled: true } };

// The set-up has already printed that helm is missing.
describe.runIf(helm !== undefined)('the chart, rendered', () => {
  test.each(Object.entries(MATRIX))('with %s is accepted by Kubernetes', async (name, values) => {
    expect(await lint(values)).toContain('0 chart(s) failed');
    const manifests = await render(values);
    for (const manifest of manifests) await validate(manifest);
    expect(await unknownFields(manifests, name.replaceAll(/[^a-z]/g, '-'))).toBe('');
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(Object.entries(MATRIX))('with %s is consistent', async (_name, values) => {
    const manifests = await render(values);
    const workloads = manifests.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Pod'].includes(kind));
    for (const workload of workloads) {
      const { containers, ...spec } = pod(workload);
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    // Every selector matches pods, and every port exists on them.
    for (const service of manifests.filter(({ kind }) => kind === 'Service')) {
      const { selector, ports } = service.spec as {
        selector: Record<string, string>;
        ports: { targetPort: string }[];
      };
      const chosen = workloads.filter(
        ({ kind, spec }) =>
          kind !== 'Pod' && holds((spec as unknown as Template).template.metadata.labels, selector),
      );
      expect(chosen).toHaveLength(1);
      const offered = chosen.flatMap((workload) => pod(workload).containers[0].ports ?? []);
      expect(offered.map(({ name }) => name)).toEqual(
        expect.arrayContaining(ports.map(({ targetPort }) => targetPort)),
      );
    }
    // Only the headless Service has the port of the metrics.
    const broker = variables(manifests);
    expect(broker['SLUICE_ADMIN_PORT']).not.toBe(broker['PORT']);
    const open = manifests.filter(({ kind, spec }) => kind === 'Service' && spec['clusterIP'] !== 'None');
    expect(JSON.stringify(open)).not.toContain('admin');
  });

  test('every setting reaches the broker unchanged, and the broker accepts it', async () => {
    const plain = Object.entries(SETTINGS).filter(
      ([name]) => !FILE_SETTINGS.has(name) || name === 'REDIS_URL',
    );
    const settings = plain.map(([name, { example }]) => {
      const number = /^\d+$/.test(example) || name.endsWith('PORT');
      return [name, number ? Number(example) : example];
    });
    const env = variables(await render({ settings: Object.fromEntries(settings) as object }));
    for (const [name, { example }] of plain) expect(env[name], name).toBe(example);
    // The broker takes only one of these two.
    for (const name of ['REDIS_URL', 'SLUICE_DATA_DIR'])
      expect(() => loadConfig({ ...env, [name]: undefined })).not.toThrow();
  });

  test('a bare off, which YAML reads as a boolean, reaches the broker as off', async () => {
    const off = { SLUICE_CONSOLE: false, SLUICE_MAX_CONNECTION_AGE: false, SLUICE_FAILED_AUTH_LIMIT: false };
    expect(variables(await render({ settings: off }))).toMatchObject({
      SLUICE_CONSOLE: 'off',
      SLUICE_MAX_CONNECTION_AGE: 'off',
      SLUICE_FAILED_AUTH_LIMIT: 'off',
    });
  });

  test('large numbers stay numbers', async () => {
    const env = variables(await render({ settings: { SLUICE_HISTORY_SIZE: 10_000_000 } }));
    expect(env['SLUICE_HISTORY_SIZE']).toBe('10000000');
  });

  test.each([
    ['10s', 5, 30],
    ['1.5m', 5, 110],
    ['1500ms', 0, 17],
    ['0s', 0, 15],
    ['1h', 20, 3635],
  ])('a drain of %s after %i s makes a grace period of %i s', async (window, preStopSeconds, grace) => {
    const settings = { SLUICE_DRAIN_WINDOW: window, REDIS_URL: 'redis://redis' };
    const deployment = named(await render({ settings, preStopSeconds }), 'Deployment');
    expect(pod(deployment)['terminationGracePeriodSeconds']).toBe(grace);
    expect(deployment.spec).toMatchObject({
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      minReadySeconds: grace - preStopSeconds - 15,
    });
    // Kubernetes requires this.
    expect(deployment.spec['progressDeadlineSeconds']).toBeGreaterThan(grace - preStopSeconds - 15);
  });

  test('two pods with embedded logs never run at the same time', async () => {
    expect(named(await render({}), 'Deployment').spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'Recreate' },
    });
  });

  test('a log on disk has one pod, a claim that outlives the release, and three quarters of it', async () => {
    const manifests = await render(MATRIX['a log on disk'] ?? {});
    expect(manifests.filter(({ kind }) => /Autoscaler|Budget/.test(kind))).toEqual([]);
    const deployment = named(manifests, 'Deployment');
    expect(deployment.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(pod(deployment)).toMatchObject({
      securityContext: { fsGroup: 1000 },
      containers: [{ volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'try-sluice' } }],
    });
    expect(named(manifests, 'PersistentVolumeClaim')).toMatchObject({
      metadata: { name: 'try-sluice', annotations: { 'helm.sh/resource-policy': 'keep' } },
      spec: {
        accessModes: ['ReadWriteOncePod'],
        storageClassName: 'fast',
        resources: { requests: { storage: '100Gi' } },
      },
    });
    expect(loadConfig(variables(manifests))).toMatchObject({ dataDir: '/data', dataBytes: 75 * 1024 ** 3 });
  });

  test("with the user's claim the chart makes none", async () => {
    const manifests = await render(MATRIX['a log on a disk of mine, with tls'] ?? {});
    expect(manifests.filter(({ kind }) => kind === 'PersistentVolumeClaim')).toEqual([]);
    expect(pod(named(manifests, 'Deployment'))['volumes']).toMatchObject([
      { persistentVolumeClaim: { claimName: 'mine' } },
      { name: 'tls' },
      { name: 'more' },
    ]);
    expect(variables(manifests)).toMatchObject({ SLUICE_DATA_BYTES: '4GiB', SLUICE_SYNC: '1s' });
  });

  test('the autoscaler sets the number of replicas, and removes replicas slowly', async () => {
    const manifests = await render(MATRIX['autoscaling'] ?? {});
    expect(named(manifests, 'Deployment').spec).not.toHaveProperty('replicas');
    expect(named(manifests, 'HorizontalPodAutoscaler').spec).toMatchObject({
      metrics: [
        { pods: { metric: { name: 'sluice_connections' }, target: { averageValue: '20000000' } } },
        {},
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 1800, policies: [{ value: 1 }] } },
    });
  });

  test("the annotations keep proxies from cutting streams, and the user's annotations win", async () => {
    const route = named(await render(MATRIX['route'] ?? {}), 'HTTPRoute').spec['rules'];
    expect(route).toMatchObject([
      {
        matches: [{ path: { value: '/events' } }, { path: { value: '/publish' } }],
        timeouts: { request: '0s' },
      },
      { matches: [{ path: { value: '/' } }] },
    ]);
    expect(named(await render(MATRIX['ingress'] ?? {}), 'Ingress').metadata.annotations).toEqual({
      'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
      'nginx.ingress.kubernetes.io/proxy-read-timeout': '7200',
      'nginx.ingress.kubernetes.io/proxy-send-timeout': '3600',
      'nginx.ingress.kubernetes.io/proxy-request-buffering': 'off',
      'nginx.ingress.kubernetes.io/proxy-body-size': '0',
    });
  });

  test('a publish key is generated, and a new one each time when none is kept', async () => {
    const first = named(await render({}), 'Secret').data?.['SLUICE_PUBLISH_KEYS'] ?? '';
    expect(Buffer.from(first, 'base64').toString()).toMatch(/^[A-Za-z0-9]{40}$/);
    expect(named(await render({}), 'Secret').data?.['SLUICE_PUBLISH_KEYS']).not.toBe(first);
  });

  test('keys and passwords in the cluster are kept', async () => {
    await using api = await startKubernetesApi({
      'try-sluice': { SLUICE_PUBLISH_KEYS: 'the-first-key' },
      'try-sluice-redis': { password: 'the-first-password' },
    });
    const manifests = await render({ redis: { enabled: true } }, api.url);
    const text = (end: string, key: string): string =>
      Buffer.from(named(manifests, 'Secret', end).data?.[key] ?? '', 'base64').toString();
    expect(text('try-sluice', 'SLUICE_PUBLISH_KEYS')).toBe('the-first-key');
    expect(text('-redis', 'password')).toBe('the-first-password');
  });

  test("with the user's Secret the chart makes none, and prints nothing secret", async () => {
    const manifests = await render(MATRIX['secrets of mine'] ?? {});
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const own = await render(MATRIX['secrets of the chart'] ?? {});
    expect(JSON.stringify(own.filter(({ kind }) => kind !== 'Secret'))).not.toContain('secret@redis');
  });

  test.each([
    ['replicas without Redis', { replicaCount: 2 }, 'replicaCount=2 needs Redis'],
    ['autoscaling without Redis', { autoscaling: { enabled: true } }, 'autoscaling.enabled needs Redis'],
    [
      'two Redis',
      { redis: { enabled: true }, settings: { REDIS_URL: 'redis://a' } },
      'REDIS_URL is set twice',
    ],
    [
      'a setting and its file',
      {
        settings: {
          SLUICE_PUBLISH_KEYS: { secretKeyRef: { name: 'a', key: 'b' } },
          SLUICE_PUBLISH_KEYS_FILE: '/a',
        },
      },
      'SLUICE_PUBLISH_KEYS is set twice',
    ],
    [
      'two places for secrets',
      { secrets: { existingSecret: 'a', values: { REDIS_URL: 'redis://a' } } },
      'both set',
    ],
    ['public metrics', { settings: { PORT: 9090 } }, 'are the same'],
    ['an Ingress without hosts', { ingress: { enabled: true } }, 'ingress.enabled needs ingress.hosts'],
    ['a route from nowhere', { httpRoute: { enabled: true } }, 'httpRoute.enabled needs'],
    [
      'a certificate from nowhere',
      { redisTls: { clientCertificate: true } },
      'needs redisTls.existingSecret',
    ],
    [
      'more at least than at most',
      { redis: { enabled: true }, autoscaling: { enabled: true, minReplicas: 11 } },
      'is above autoscaling.maxReplicas',
    ],
    [
      'replicas of a log on disk',
      { replicaCount: 2, ...ON_DISK },
      'persistence.enabled allows only one replica',
    ],
    ['a scaled log on disk', { autoscaling: { enabled: true }, ...ON_DISK }, 'allows only one replica'],
    ['a log on disk beside a Redis', { redis: { enabled: true }, ...ON_DISK }, 'are both set'],
    [
      'a log on disk beside a Redis of my Secret',
      { secrets: { existingSecret: 'mine', keys: ['REDIS_URL'] }, ...ON_DISK },
      'persistence.enabled and Redis are both set',
    ],
    [
      'two folders for the log',
      { settings: { SLUICE_DATA_DIR: '/log' }, ...ON_DISK },
      'SLUICE_DATA_DIR is set twice',
    ],
    ['an unknown setting', { settings: { SLUICE_HISTROY_SIZE: 5 } }, 'SLUICE_HISTROY_SIZE'],
  ])('refuses %s, and says why', async (_what, values, why) => {
    await expect(render(values)).rejects.toThrow(why);
  });
});

function holds(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
