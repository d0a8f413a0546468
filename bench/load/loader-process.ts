import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/** The functions of a loader, by name. Arguments and answers are plain data, because they cross a process boundary. */
export type Services = Readonly<Record<string, (argument: never) => unknown>>;

interface Question {
  readonly name: string;
  readonly argument: unknown;
}

type Answer = { readonly value: unknown } | { readonly error: string };

/** Runs in the loader: answers one call after the other, and ends with the parent process. */
export function offer(services: Services): void {
  process.on('disconnect', () => process.exit());
  // Ctrl-C reaches every process of the terminal. The loader ignores it, because its parent process ends it.
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

/** A loader in a separate process, so that its cost can be told from the server's. */
export class LoaderProcess<S extends Services> {
  readonly #child: ChildProcess;

  constructor(file: URL) {
    // 'advanced' can send typed arrays.
    this.#child = fork(file, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Makes one call at a time. Rejects when the loader fails or ends. */
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
