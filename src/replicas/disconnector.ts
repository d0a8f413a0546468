import type { Revocations } from './revocations.ts';
import { RevocationSync } from './revocation-sync.ts';
import type { ControlBus, ControlCommand, ControlListener } from './control-bus.ts';
import type { Connections } from '../stream/connections.ts';

export interface DisconnectorOptions {
  readonly connections: Connections;
  readonly revocations: Revocations;
  readonly control: ControlBus;
}

/** Carries out the commands of all replicas on this replica: ends streams, and stores revocations of tokens. */
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
    // Stored before the streams end, so that no subscriber reconnects with the same token.
    if (revocation !== undefined) this.#revocations.addNew(revocation);
    return this.#connections.endMatching(
      (stream) =>
        (channel === undefined || stream.hasChannel((one) => one === channel)) &&
        (subject === undefined || stream.holder?.subject === subject),
    );
  }

  onJoined(): void {
    this.#sync.start();
  }

  close(): void {
    this.#sync.close();
  }

  /** Ends streams with revoked tokens. Called when this replica has learned of revocations late. */
  #endRevoked(): Promise<number> {
    return this.#connections.endMatching((stream) =>
      stream.hasChannel((channel) => this.#revocations.refuses(stream.holder, channel)),
    );
  }
}
