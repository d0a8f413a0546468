/** What happened to the page. */
export type PageEvent = 'pagehide' | 'freeze' | 'pageshow' | 'resume' | 'online' | 'visible' | 'hidden';

interface Page {
  addEventListener?(type: string, listener: (event: { type: string }) => void, capture: boolean): void;
  removeEventListener?(type: string, listener: (event: { type: string }) => void, capture: boolean): void;
  readonly document?: { readonly visibilityState: 'visible' | 'hidden' };
}

/** Calls the handler for each event of the page, where there is a page. Returns a function that stops it. */
export function onPageEvents(handler: (event: PageEvent) => void): () => void {
  const page = globalThis as Page;
  const listener = ({ type }: { type: string }): void =>
    handler((type === 'visibilitychange' ? page.document?.visibilityState : type) as PageEvent);
  const types = ['pagehide', 'freeze', 'pageshow', 'resume', 'online', 'visibilitychange'];
  // Some of these events do not bubble: the window sees them while it captures.
  for (const type of types) page.addEventListener?.(type, listener, true);
  return () => {
    for (const type of types) page.removeEventListener?.(type, listener, true);
  };
}
