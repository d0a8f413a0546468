import type { ControlBus, ControlCommand, ControlListener } from '../../src/core/control-bus.ts';

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
    for (const look of this.#waiting) look();
  }

  /** Resolves once it has joined so many times. */
  joined(times = 1): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.joins < times) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}
