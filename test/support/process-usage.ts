import { readFile } from 'node:fs/promises';

/** User and system time of a process since its start, in ticks of the kernel's clock. Linux only. */
export async function cpuOf(pid: number): Promise<number> {
  return await ticksIn(`/proc/${pid}/stat`);
}

/** The same of the process' main thread. */
export async function mainThreadCpuOf(pid: number): Promise<number> {
  return await ticksIn(`/proc/${pid}/task/${pid}/stat`);
}

async function ticksIn(file: string): Promise<number> {
  const stat = await readFile(file, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Resident memory of a process, in KiB. Linux only. */
export async function residentKib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

/** System calls of a process since its start, to any file or socket. */
export interface SystemCalls {
  readonly reads: number;
  readonly writes: number;
}

/** Linux only. */
export async function systemCallsOf(pid: number): Promise<SystemCalls> {
  const io = await readFile(`/proc/${pid}/io`, 'utf8');
  return {
    reads: Number(/^syscr: (\d+)$/m.exec(io)?.[1]),
    writes: Number(/^syscw: (\d+)$/m.exec(io)?.[1]),
  };
}
