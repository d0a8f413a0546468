/** The method that ioredis adds to clients and pipelines for each script. This variant returns Buffers. */
export const METHODS = {
  append: 'sluice_appendBuffer',
  read: 'sluice_readBuffer',
  rewind: 'sluice_rewindBuffer',
  state: 'sluice_stateBuffer',
  latest: 'sluice_latestBuffer',
  check: 'sluice_checkBuffer',
  clear: 'sluice_clearBuffer',
  about: 'sluice_aboutBuffer',
  behind: 'sluice_behindBuffer',
  count: 'sluice_countBuffer',
  broadcast: 'sluice_broadcastBuffer',
  probe: 'sluice_probeBuffer',
} as const;

export type ScriptName = keyof typeof METHODS;
