import type { Revocations } from './revocations.ts';
import { RevocationSync } from './revocation-sync.ts';
import type { ControlBus, ControlCommand, ControlListener } from './control-bus.ts';
import type { Connections } from '../stream/connections.ts';

export interface DisconnectorOptions {
  readonly connections: Connections;
  readonly revocations: Revocations;
  readonly control: ControlBus;
}

/** Carries out on this replica the commands of all replicas: ends streams, and refuses revoked tokens from then on. */
export class Disconnector implements ControlListener {
  readonly #connections: Connections;
  readonly #revocations: Revocations;
  readonly #sync: RevocationSync;

  constructor({ connections, revocations, control }: DisconnectorOptions) {
    this.#connections = connections;
    this.#revocations = revocations;
    const onLearned = (): void => void this.#endRevoked();
    this.#sync = new RevocationSync({ bus: control, revocations, onLearned });
    control.listen(this);
  }

  onCommand({ subject, channel, revocation }: ControlCommand): Promise<number> {
    // Before the streams end, so that no subscriber comes back with the same token.
    if (revocation !== undefined) this.#revocations.addNew(revocation);
    return this.#connections.endMatching(
      (stream) =>
        (channel === undefined || stream.channel === channel) &&
        (subject === undefined || stream.holder?.subject === subject),
    );
  }

  onJoined(): void {
    this.#sync.start();
  }

  close(): void {
    this.#sync.close();
  }

  /** Ends the streams that revocations concern of which this replica has not heard in time. */
  #endRevoked(): Promise<number> {
    return this.#connections.endMatching(({ holder, channel }) => this.#revocations.refuses(holder, channel));
  }
}
