interface Page {
  addEventListener?(type: string, listener: (event: { type: string }) => void, capture: boolean): void;
  removeEventListener?(type: string, listener: (event: { type: string }) => void, capture: boolean): void;
  readonly document?: { readonly visibilityState: string };
}

/**
 * Calls the handler for `pagehide`, `freeze`, `pageshow`, `resume`, `online`, `visible` and `hidden`, where there is a page.
 * Returns a function that stops it.
 */
export function onPageEvents(handler: (event: string) => void): () => void {
  const page = globalThis as Page;
  const listener = ({ type }: { type: string }): void =>
    handler(type === 'visibilitychange' ? (page.document?.visibilityState ?? '') : type);
  const types = ['pagehide', 'freeze', 'pageshow', 'resume', 'online', 'visibilitychange'];
  // Some of these events do not bubble. The window sees them all the same, while it captures.
  for (const type of types) page.addEventListener?.(type, listener, true);
  return () => {
    for (const type of types) page.removeEventListener?.(type, listener, true);
  };
}
