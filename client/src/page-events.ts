interface Page {
  addEventListener?(
    type: string,
    listener: () => void,
    options: { readonly capture: true; readonly signal: AbortSignal },
  ): void;
  readonly document?: { readonly hidden: boolean };
}

/**
 * Calls the handler for `pagehide`, `freeze`, `pageshow`, `resume`, `online` and `visibilitychange`, where there is a page.
 * The last one comes only when the page has become visible.
 * @param signal ends it
 */
export function onPageEvents(handler: (type: string) => void, signal: AbortSignal): void {
  const page = globalThis as Page;
  for (const type of 'pagehide freeze pageshow resume online visibilitychange'.split(' '))
    page.addEventListener?.(
      type,
      () => {
        if (type !== 'visibilitychange' || !page.document?.hidden) handler(type);
      },
      // Some of these events do not bubble. The window sees them all the same, while it captures.
      { capture: true, signal },
    );
}
