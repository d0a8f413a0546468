import { EventSource } from 'eventsource';

/**
 * Listens to a channel of the broker, in the backend and in the page. The EventSource reconnects by itself and sends the id of
 * the last event that it got. `getToken` is asked again for each connection, so that the token is never an expired one.
 * Returns a function that stops listening.
 */
export function listen(
  url: string,
  getToken: () => Promise<string>,
  handlers: Readonly<Record<string, (data: string) => void>>,
): () => void {
  const source = new EventSource(url, {
    fetch: async (input, init) =>
      await fetch(input, {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${await getToken()}` },
      }),
  });
  for (const [type, handle] of Object.entries(handlers))
    source.addEventListener(type, ({ data }) => handle(String(data)));
  return () => source.close();
}
