/** What others send to a broker that runs, and what would end it, or open Node's debugger for the rest of the run, before it does. */
const NOT_FOR_ENDING = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/** To be called first: while the broker starts, which may take a while, these come to nothing. Those that end it do. */
export function holdSignals(): void {
  for (const signal of NOT_FOR_ENDING) process.on(signal, () => undefined);
}
