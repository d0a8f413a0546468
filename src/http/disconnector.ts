import type { Revocations } from '../auth/revocations.ts';
import { RevocationSync } from '../auth/revocation-sync.ts';
import type { ControlBus, ControlCommand, ControlListener } from '../core/control-bus.ts';
import type { Connections } from '../sse/connections.ts';

export interface DisconnectorOptions {
  readonly connections: Connections;
  readonly revocations: Revocations;
  readonly control: ControlBus;
}

/** Carries out disconnect commands on this replica, whichever replica received the request: ends streams and revokes tokens. */
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
    // Revokes first, so that a client whose stream ends cannot come back with the revoked token.
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

  /** Ends streams whose tokens were revoked while this replica missed the announcement. */
  #endRevoked(): Promise<number> {
    return this.#connections.endMatching(({ holder, channel }) => this.#revocations.refuses(holder, channel));
  }
}
