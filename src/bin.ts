#!/usr/bin/env node
/**
 * The program `sluice` of the package. It runs on the Node of the machine, and says so when that Node is too old. Imports
 * nothing before that, because an older Node cannot read the other files.
 */
const OLDEST = [22, 13] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) {
  // By default SIGUSR1 opens Node's debugger. `node --disable-sigusr1` is no choice here: older versions refuse the flag.
  process.on('SIGUSR1', () => undefined);
  await import('./main.ts');
} else {
  process.stderr.write(
    `sluice: this is Node ${process.versions.node}, and Sluice needs Node ${OLDEST.join('.')} or newer. npx brings one along: npx sluice\n`,
  );
  process.exitCode = 1;
}
