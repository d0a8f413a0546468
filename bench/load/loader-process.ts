import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/** What a loader can be asked for, by name. Arguments and answers cross a process boundary: plain data only. */
export type Services = Readonly<Record<string, (argument: never) => unknown>>;

interface Question {
  readonly name: string;
  readonly argument: unknown;
}

type Answer = { readonly value: unknown } | { readonly error: string };

/** The loader's side: answers one question after the other, and ends with the process that started it. */
export function offer(services: Services): void {
  process.on('disconnect', () => process.exit());
  // Ctrl-C reaches every process of the terminal; the one that started this one decides when it ends.
  process.on('SIGINT', () => undefined);
  process.on('message', (message) => {
    const { name, argument } = message as Question;
    const service = services[name] as ((argument: unknown) => unknown) | undefined;
    Promise.resolve()
      .then(() => service?.(argument))
      .then(
        (value) => process.send?.({ value } satisfies Answer),
        (error: unknown) =>
          process.send?.({ error: (error as Error).stack ?? String(error) } satisfies Answer),
      );
  });
}

/** A loader in a process of its own, so that what it costs is not taken for the server's, nor the other way round. */
export class LoaderProcess<S extends Services> {
  readonly #child: ChildProcess;

  constructor(file: URL) {
    // 'advanced' lets typed arrays through.
    this.#child = fork(file, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** One question at a time. Rejects when the loader fails or ends. */
  ask<N extends keyof S & string>(
    name: N,
    ...[argument]: Parameters<S[N]>
  ): Promise<Awaited<ReturnType<S[N]>>> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error('A loader ended before it had answered.'));
      child.once('exit', ended);
      child.once('message', (message) => {
        child.off('exit', ended);
        const answer = message as Answer;
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer.value as Awaited<ReturnType<S[N]>>);
      });
      child.send({ name, argument } satisfies Question);
    });
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
