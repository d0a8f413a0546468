import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface KubernetesApi extends AsyncDisposable {
  readonly url: string;
}

const RESOURCES: Readonly<Record<string, readonly string[]>> = {
  v1: ['Secret', 'Service', 'ServiceAccount', 'ConfigMap', 'Pod'],
  'apps/v1': ['Deployment', 'StatefulSet'],
  'networking.k8s.io/v1': ['NetworkPolicy'],
  'policy/v1': ['PodDisruptionBudget'],
};

/**
 * The part of the Kubernetes API that helm uses when a chart looks up an object: the list of kinds, and Secrets by
 * name.
 */
export async function startKubernetesApi(
  secrets: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<KubernetesApi> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1).join('');
    const body = discovery(path) ?? secret(path, secrets);
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', code: 404, reason: 'NotFound' }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function discovery(path: string): object | undefined {
  if (path === '/version') return { major: '1', minor: '34', gitVersion: 'v1.34.0' };
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups() };
  const groupVersion = path.replace(/^\/apis?\//, '');
  const kinds = RESOURCES[groupVersion];
  if (kinds === undefined) return undefined;
  const resources = kinds.map((kind) => ({
    name: kind === 'NetworkPolicy' ? 'networkpolicies' : `${kind.toLowerCase()}s`,
    singularName: kind.toLowerCase(),
    namespaced: true,
    kind,
    verbs: ['get', 'list'],
  }));
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

function groups(): object[] {
  return Object.keys(RESOURCES)
    .filter((groupVersion) => groupVersion.includes('/'))
    .map((groupVersion) => {
      const [name = '', version = ''] = groupVersion.split('/');
      return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } };
    });
}

function secret(
  path: string,
  secrets: Readonly<Record<string, Readonly<Record<string, string>>>>,
): object | undefined {
  const name = /^\/api\/v1\/namespaces\/default\/secrets\/([^/]+)$/.exec(path)?.[1] ?? '';
  const values = secrets[name];
  if (values === undefined) return undefined;
  const data = Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  // helm adds these labels itself, and changes no Secret without them.
  const labels = { 'app.kubernetes.io/managed-by': 'Helm' };
  const annotations = { 'meta.helm.sh/release-name': 'try', 'meta.helm.sh/release-namespace': 'default' };
  const metadata = { name, namespace: 'default', labels, annotations };
  return { apiVersion: 'v1', kind: 'Secret', metadata, data: Object.fromEntries(data) as object };
}
