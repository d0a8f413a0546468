import { setTimeout as delay } from 'node:timers/promises';
import type { ControlBus, ControlCommand, ControlListener } from '../../src/replicas/control-bus.ts';

/** Stands for what a replica does when it is told something: remembers it, and answers as it is bid. */
export class ObedientReplica implements ControlListener {
  readonly bus: ControlBus;
  readonly commands: ControlCommand[] = [];
  joins = 0;
  /** What it answers. */
  closes: (command: ControlCommand) => Promise<number> = async () => 0;
  readonly #waiting = new Set<() => void>();

  constructor(bus: ControlBus) {
    this.bus = bus;
    bus.listen(this);
  }

  onCommand(command: ControlCommand): Promise<number> {
    this.commands.push(command);
    return this.closes(command);
  }

  onJoined(): void {
    this.joins++;
    for (const check of this.#waiting) check();
  }

  /** Resolves once it has joined so many times, and can speak as well as hear. */
  async joined(times = 1): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.joins < times) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
    // What is said goes over another connection than what is heard, and nothing announces that this one is there.
    while (!(await this.#speaks())) await delay(10);
  }

  #speaks(): Promise<boolean> {
    return this.bus.restore([]).then(
      () => true,
      () => false,
    );
  }
}
