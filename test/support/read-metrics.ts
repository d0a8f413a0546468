/** Reads `/metrics` into values by series: `sluice_published_total{result="ok"}` → 1. */
export async function readMetrics(url: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${url}/metrics`);
  const text = await response.text();
  const samples = [...text.matchAll(/^([a-z_]+(?:\{[^}]*\})?) (\S+)$/gm)];
  return new Map(
    samples.map(([, series = '', value]) => [series, Number(value?.replace('Inf', 'Infinity'))]),
  );
}
