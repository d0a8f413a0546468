import { readFileSync } from 'node:fs';

/** A metric from docs/metrics.md or from a scrape: labels by name, with their values in alphabetical order. */
export interface MetricDescription {
  readonly type: string;
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** Reads the table of the broker's own metrics in docs/metrics.md. */
export function documentedMetrics(): Record<string, MetricDescription> {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(sluice_\w+)` \| (\w+) \|([^|]*)\|/gm)];
  return Object.fromEntries(
    rows.map(([, name = '', type = '', labels = '']) => [name, { type, labels: documentedLabels(labels) }]),
  );
}

/** Reads a cell such as "`reason`: `client`, `drained`; `code`: `200`". */
function documentedLabels(cell: string): Record<string, string[]> {
  return Object.fromEntries(
    cell
      .split(';')
      .map((label) => [...label.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word))
      .filter((words) => words.length > 0)
      .map(([name = '', ...values]) => [name, values.toSorted()]),
  );
}

/** The values of this metric's labels differ in each version. */
const BUILD_INFO = 'sluice_build_info';

/** Reads the metrics of a scrape whose names begin with `sluice_`. */
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
      // Every histogram has the label `le`, so the table leaves it out.
      if (label !== 'le') values.set(label, name === BUILD_INFO ? known : known.add(value));
    }
  }
  return Object.fromEntries([...values].map(([label, set]) => [label, [...set].toSorted()]));
}
