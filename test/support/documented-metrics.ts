import { readFileSync } from 'node:fs';

/** A metric as docs/metrics.md or a scrape has it; labels by name, with their values in alphabetical order. */
export interface MetricDescription {
  readonly type: string;
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** The rows of the table in docs/metrics.md: what a broker has of its own. */
export function documentedMetrics(): Record<string, MetricDescription> {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(sluice_\w+)` \| (\w+) \|([^|]*)\|/gm)];
  return Object.fromEntries(
    rows.map(([, name = '', type = '', labels = '']) => [name, { type, labels: documentedLabels(labels) }]),
  );
}

/** A cell such as "`reason`: `client`, `drained`; `code`: `200`". */
function documentedLabels(cell: string): Record<string, string[]> {
  return Object.fromEntries(
    cell
      .split(';')
      .map((label) => [...label.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word))
      .filter((words) => words.length > 0)
      .map(([name = '', ...values]) => [name, values.toSorted()]),
  );
}

/** Its labels have other values in each version. */
const BUILD_INFO = 'sluice_build_info';

/** The metrics of an exposition whose names begin with `sluice_`. */
export function exposedMetrics(exposition: string): Record<string, MetricDescription> {
  const types = [...exposition.matchAll(/^# TYPE (sluice_\w+) (\w+)$/gm)];
  return Object.fromEntries(
    types.map(([, name = '', type = '']) => [name, { type, labels: exposedLabels(exposition, name) }]),
  );
}

function exposedLabels(exposition: string, name: string): Record<string, string[]> {
  const values = new Map<string, Set<string>>();
  for (const [, labels = ''] of exposition.matchAll(new RegExp(`^${name}(?:_bucket)?\\{([^}]*)\\}`, 'gm'))) {
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      const known = values.get(label) ?? new Set();
      // A histogram's own label, which its type implies.
      if (label !== 'le') values.set(label, name === BUILD_INFO ? known : known.add(value));
    }
  }
  return Object.fromEntries([...values].map(([label, set]) => [label, [...set].toSorted()]));
}
