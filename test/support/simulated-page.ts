import { vi } from 'vitest';

/** The events and the session storage of a browser's page, as globals. */
export interface SimulatedPage {
  /** What is in the session storage. */
  readonly stored: Map<string, string>;
  fire(event: string): void;
}

/** Undo it with `vi.unstubAllGlobals()`. */
export function simulatePage(): SimulatedPage {
  const page = new EventTarget();
  const stored = new Map<string, string>();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  vi.stubGlobal('sessionStorage', {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => stored.set(name, value),
  });
  return { stored, fire: (event) => page.dispatchEvent(new Event(event)) };
}
