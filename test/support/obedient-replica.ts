import { setTimeout as delay } from 'node:timers/promises';
import type { ControlBus, ControlCommand, ControlListener } from '../../src/replicas/control-bus.ts';

/** A replica that records the commands it gets, and answers as the test sets. */
export class ObedientReplica implements ControlListener {
  readonly bus: ControlBus;
  readonly commands: ControlCommand[] = [];
  joins = 0;
  /** The answer to a command. */
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

  /** Resolves once the replica has joined `times` times, and can both send and receive. */
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
    // Commands are sent on another connection than they are received on. No event says that the sending connection is
    // up, so poll.
    while (!(await this.#speaks())) await delay(10);
  }

  #speaks(): Promise<boolean> {
    return this.bus.restore([]).then(
      () => true,
      () => false,
    );
  }
}
