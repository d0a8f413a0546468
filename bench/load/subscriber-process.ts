import { Crowd } from './crowd.ts';
import type { ConnectPlan, Progress, SubscriberReport } from './crowd.ts';
import { offer } from './loader-process.ts';

let crowd: Crowd | undefined;

function present(): Crowd {
  if (crowd === undefined) throw new Error('Nobody is connected yet: connect comes first.');
  return crowd;
}

const services = {
  connect: async (plan: ConnectPlan): Promise<void> => {
    crowd = new Crowd(plan);
    await crowd.open();
  },
  progress: (): Progress => present().progress(),
  report: (): SubscriberReport => present().report(),
  disconnect: (): void => present().close(),
  /** The CPU time of this process, in µs. */
  cpu: (): number => {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
};

export type SubscriberServices = typeof services;

offer(services);
