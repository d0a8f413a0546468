import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** The resource use of several processes, summed. */
export interface ProcessUsage {
  /** User and system time of all threads, in µs. Linux counts it in steps of 10 ms. */
  readonly cpu: number;
  /** Resident memory, in KiB. Does not include socket buffers of the kernel. */
  readonly memory: number;
}

/** Linux reports CPU time in hundredths of a second, whatever the kernel's own tick is (time(7)). */
const TICK_US = 10_000;

/** Reads /proc, or runs `ps` on systems without /proc. A process that has ended counts as 0. */
export async function processUsage(pids: readonly number[]): Promise<ProcessUsage> {
  const read = process.platform === 'linux' ? fromProc : fromPs;
  const each = await Promise.all(pids.map(read));
  return {
    cpu: each.reduce((sum, usage) => sum + usage.cpu, 0),
    memory: each.reduce((sum, usage) => sum + usage.memory, 0),
  };
}

async function fromProc(pid: number): Promise<ProcessUsage> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ]);
    // The second field is the program's name, which may hold any character. utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpu: ticks * TICK_US, memory: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) };
  } catch {
    return { cpu: 0, memory: 0 };
  }
}

async function fromPs(pid: number): Promise<ProcessUsage> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'time=,rss=', '-p', String(pid)]);
    const [time = '0', memory = '0'] = stdout.trim().split(/\s+/);
    // [[days-]hours:]minutes:seconds[.hundredths]
    const seconds = time.split(/[-:]/).reduce((sum, part) => sum * 60 + Number(part), 0);
    return { cpu: seconds * 1_000_000, memory: Number(memory) };
  } catch {
    return { cpu: 0, memory: 0 };
  }
}
