/** The hash slots that one node has. */
export interface NodeSlots {
  readonly node: string;
  readonly count: number;
  /** Such as `0-5460, 10923`; what is more than three ranges is counted. */
  readonly ranges: string;
}

const SHOWN = 3;

/** What a cluster's slots are: for each node (host:port) that is master of some, which. `slots` is as ioredis has it. */
export function slotLayout(slots: readonly (readonly string[] | undefined)[]): NodeSlots[] {
  const found = new Map<string, [from: number, to: number][]>();
  let last: { node: string; range: [number, number] } | undefined;
  for (const [slot, nodes] of slots.entries()) {
    const node = nodes?.[0];
    if (node === undefined) {
      last = undefined;
      continue;
    }
    if (last?.node === node) {
      last.range[1] = slot;
      continue;
    }
    last = { node, range: [slot, slot] };
    const ranges = found.get(node);
    if (ranges === undefined) found.set(node, [last.range]);
    else ranges.push(last.range);
  }
  return [...found].map(([node, ranges]) => {
    const shown = ranges.slice(0, SHOWN).map(([from, to]) => (from === to ? String(from) : `${from}-${to}`));
    if (ranges.length > SHOWN) shown.push(`${ranges.length - SHOWN} more ranges`);
    return {
      node,
      count: ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0),
      ranges: shown.join(', '),
    };
  });
}
